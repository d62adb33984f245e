"""Access data of an instance: addresses and logins, without a repr so that logs show no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from upstream.values import mapping, text


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """The connect blocks with their secrets; "" for what is not set."""

    ssh_command: str = ""
    ssh_password: str = ""
    jupyter_url: str = ""
    web_terminal_url: str = ""
    web_terminal_username: str = ""
    web_terminal_password: str = ""

    @property
    def is_empty(self) -> bool:
        return not any((self.ssh_command, self.jupyter_url, self.web_terminal_url))

    @property
    def has_logins(self) -> bool:
        """Whether each address that needs a password has one."""
        has_ssh = bool(self.ssh_password) or not self.ssh_command
        return has_ssh and (bool(self.web_terminal_password) or not self.web_terminal_url)


def read_access(data: Mapping[str, Any]) -> Access:
    """Read the connect blocks with their secrets; older answers have them at the top level."""
    ssh = mapping(data.get("connectComponentSSH"))
    terminal = mapping(data.get("connectComponentWebTerminal"))
    return Access(
        ssh_command=text(ssh.get("sshCommand")) or text(data.get("sshCommand")),
        ssh_password=text(ssh.get("password")) or text(data.get("sshPassword")),
        jupyter_url=text(mapping(data.get("connectComponentJupyter")).get("address")),
        web_terminal_url=text(terminal.get("address")),
        web_terminal_username=text(terminal.get("username")),
        web_terminal_password=text(terminal.get("password")),
    )
