"""An egress proxy: it resolves the names, decides about their addresses and connects to them.

Both http:// and https:// targets go through a tunnel (CONNECT, RFC 9110 section 9.3.6), so that the
exchange inside it is the same as without a proxy, certificates included.
"""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from egress.errors import ConnectFailed, ProxyRefused
from egress.exchange import Deadline

_MOST_HEAD_BYTES = 16_384
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r\n]")
_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where the proxy is; `credentials` is "user:password" or empty."""

    host: str
    port: int
    credentials: str = field(default="", repr=False)

    @classmethod
    def from_url(cls, url: str) -> Proxy:
        """Of http://[user:password@]host:port. Raises ValueError; its text contains no value."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("is not a valid URL") from None
        if parts.scheme != "http" or not _HOST.fullmatch(host):
            raise ValueError("must be http://host:port")
        if not port or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("must name a port, and nothing after it")
        words = [unquote(parts.username or ""), unquote(parts.password or "")]
        if ":" in words[0] or not all(word.isprintable() for word in words):
            raise ValueError("has a user or password that cannot be sent")
        return cls(host, port, ":".join(words) if parts.username is not None else "")


def ask_for_tunnel(
    sock: socket.socket, proxy: Proxy, host: str, port: int, deadline: Deadline
) -> None:
    """Have the proxy connect the socket to the target. Uses the network.

    Raises ProxyRefused if the proxy does not allow the target, ConnectFailed for any other answer,
    and ExchangeTimeout. No text contains the proxy's words: they may name internal addresses.
    """
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        sock.settimeout(deadline.remaining(is_sent=False))
        sock.sendall(_request(proxy, target))
        head = _head(sock, deadline)
    except TimeoutError:
        raise deadline.expired(is_sent=False) from None
    except OSError:
        raise ConnectFailed("the egress proxy closed the connection") from None
    _check(head)


def _request(proxy: Proxy, target: str) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.credentials:
        encoded = base64.b64encode(proxy.credentials.encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {encoded}")
    return "\r\n".join([*lines, "", ""]).encode()


def _head(sock: socket.socket, deadline: Deadline) -> bytes:
    """The answer's head. What follows it is the target's, which has been sent nothing yet."""
    head = b""
    while (end := _END.search(head)) is None:
        if len(head) >= _MOST_HEAD_BYTES:
            raise ConnectFailed("the egress proxy's answer is too long")
        sock.settimeout(deadline.remaining(is_sent=False))
        data = sock.recv(_MOST_HEAD_BYTES - len(head))
        if not data:
            raise ConnectFailed("the egress proxy closed the connection")
        head += data
    if _status(head) // 100 == 2 and end.end() != len(head):
        raise ConnectFailed("the egress proxy sent more than its answer")
    return head


def _check(head: bytes) -> None:
    status = _status(head)
    if status // 100 == 2:
        return
    if _is_refusal(status, _fields(head)):
        raise ProxyRefused("the egress proxy does not allow this address")
    if status == 407:
        raise ConnectFailed("the egress proxy refuses the credentials of this service")
    raise ConnectFailed(
        f"the egress proxy answered {status}" if status else "no HTTP proxy answers"
    )


def _is_refusal(status: int, fields: Mapping[str, str]) -> bool:
    """Smokescreen denies with 407, its reason in a header of its own, and asks for no credentials;
    other proxies deny with 403.
    """
    asks_for_credentials = "proxy-authenticate" in fields and "x-smokescreen-error" not in fields
    return status == 403 or (status == 407 and not asks_for_credentials)


def _status(head: bytes) -> int:
    match = _STATUS.match(head)
    return int(match[1]) if match else 0


def _fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").splitlines()[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
