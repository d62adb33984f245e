"""Stores SSH, web terminal and Jupyter access of instances, sealed in the database."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from cryptography.fernet import InvalidToken

from core.sealing import Unreadable, sealer
from instances.models import Instance, InstanceCredentials
from upstream.access import Access
from upstream.facts import CONNECT_FACTS, Fact
from upstream.types import UpstreamInstance

_SSH = re.compile(r"ssh(?:\s+-p\s*(?P<port>\d{1,5}))?\s+(?:(?P<user>[\w.-]+)@)?(?P<host>[\w.-]+)")


@dataclass(frozen=True, slots=True)
class Opened:
    """Unsealed access, and when Novita last sent it."""

    access: Access
    updated_at: datetime


def keep(found: Mapping[Instance, Access], *, now: datetime) -> None:
    """Seal and save the access of several instances in one statement; empty access is skipped."""
    keys = sealer()
    rows = [
        InstanceCredentials(
            instance=instance,
            sealed=keys.encrypt(json.dumps(asdict(access)).encode()).decode(),
            updated_at=now,
        )
        for instance, access in found.items()
        if not access.is_empty
    ]
    if rows:
        InstanceCredentials.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["instance"],
            update_fields=["sealed", "updated_at"],
        )


def take(found: Mapping[Instance, UpstreamInstance], *, now: datetime) -> None:
    """Merge and save the access from gets by id.

    Blocks that an answer does not contain stay; blocks that it declares empty are deleted.
    """
    merged = {instance: _merged(instance, seen) for instance, seen in found.items()}
    keep(merged, now=now)
    emptied = [
        instance.pk
        for instance, access in merged.items()
        if access.is_empty and found[instance].facts & CONNECT_FACTS
    ]
    if emptied:
        InstanceCredentials.objects.filter(instance__in=emptied).delete()


def _merged(instance: Instance, seen: UpstreamInstance) -> Access:
    """Merge block by block; an unchanged address keeps its login if this answer lacks it."""
    told = seen.access
    if seen.facts >= CONNECT_FACTS and told.has_logins:
        return told
    known = _known(instance)
    names: list[str] = []
    if Fact.SSH not in seen.facts:
        names += ["ssh_command", "ssh_password"]
    elif told.ssh_command == known.ssh_command and not told.ssh_password:
        names += ["ssh_password"]
    if Fact.JUPYTER not in seen.facts:
        names += ["jupyter_url"]
    login = ["web_terminal_username", "web_terminal_password"]
    if Fact.WEB_TERMINAL not in seen.facts:
        names += ["web_terminal_url", *login]
    elif told.web_terminal_url == known.web_terminal_url and not told.web_terminal_password:
        names += login
    return replace(told, **{name: getattr(known, name) for name in names})


def _known(instance: Instance) -> Access:
    try:
        opened = read(instance)
    except Unreadable:
        opened = None
    return opened.access if opened else Access()


def read(instance: Instance) -> Opened | None:
    """The saved access of an instance, or None. Raises Unreadable."""
    row = InstanceCredentials.objects.filter(instance=instance).first()
    if row is None:
        return None
    try:
        opened = sealer().decrypt(row.sealed.encode())
    except InvalidToken:
        raise Unreadable from None
    return Opened(Access(**json.loads(opened)), row.updated_at)


def forget(instance: Instance) -> None:
    """Delete the saved access of an instance."""
    InstanceCredentials.objects.filter(instance=instance).delete()


def reseal(rows: Sequence[InstanceCredentials]) -> int:
    """Seal readable rows again with the first key. Returns the number of sealed rows."""
    keys = sealer()
    done = []
    for row in rows:
        try:
            row.sealed = keys.rotate(row.sealed.encode()).decode()
        except InvalidToken:
            continue
        done.append(row)
    InstanceCredentials.objects.bulk_update(done, ["sealed"])
    return len(done)


def ssh_target(command: str) -> dict[str, str | int]:
    """User, host and port of an ssh command, for clients that run no shell; {} if unreadable."""
    match = _SSH.fullmatch(command.strip())
    if match is None:
        return {}
    target: dict[str, str | int] = {"host": match["host"], "port": int(match["port"] or 22)}
    return target | ({"username": match["user"]} if match["user"] else {})
