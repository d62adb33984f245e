"""Checks by its text alone whether a URL may be the target of a webhook."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import idna

from egress.webhooks.address_rules import Network, loopback_is_allowed, refusal_reason

_MAX_URL = 2048
# Parsers read these in different ways, so a check could see another host than the client.
_CONFUSING = re.compile(r"[\x00-\x20\x7f\\]|\s")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)
# Per the WHATWG URL standard a host whose last label is a number is an IPv4 address.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class UrlFault:
    """`is_policy`: the URL is valid, and the operator's rules forbid it."""

    text: str
    is_policy: bool = False


def check_url(
    url: str, *, allowed_networks: Sequence[Network] = (), https_only: bool = False
) -> str | None:
    """The reason to refuse a URL, or None. For validating a request: no DNS, no network.

    An accepted name may still resolve to a private address; delivery checks that again, each time,
    at the moment of connecting.
    """
    fault = find_fault(url, allowed_networks=allowed_networks, https_only=https_only)
    return fault.text if fault is not None else None


def find_fault(
    url: str, *, allowed_networks: Sequence[Network] = (), https_only: bool = False
) -> UrlFault | None:
    """As `check_url`, and whether it is a matter of policy."""
    if len(url) > _MAX_URL:
        return UrlFault(f"the URL has more than {_MAX_URL} characters")
    if _CONFUSING.search(url):
        return UrlFault("the URL holds spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return UrlFault("the URL is not valid")
    if reason := _check_parts(parts, port):
        return UrlFault(reason)
    if https_only and parts.scheme != "https":
        return UrlFault("the URL must begin with https://", is_policy=True)
    return _check_host(host or "", parts.netloc, allowed_networks)


def _check_parts(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme not in ("http", "https"):
        return "the URL must begin with https:// or http://"
    if "@" in parts.netloc:
        return "the URL must not hold a user or password"
    if port == 0:
        return "the port must be between 1 and 65535"
    return None


def _check_host(host: str, netloc: str, allowed: Sequence[Network]) -> UrlFault | None:
    if netloc.startswith("["):
        is_scoped = "%" in host
        return UrlFault("an IPv6 scope is not allowed") if is_scoped else _refused(host, allowed)
    name = ascii_host(host)
    if name is None:
        return UrlFault("the host name is not valid")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _check_ipv4(name, allowed)
    is_local = name == "localhost" or name.endswith(".localhost")
    if is_local and not loopback_is_allowed(allowed):
        return UrlFault("the address is private or reserved", is_policy=True)
    return None


def ascii_host(host: str) -> str | None:
    """The name as DNS gets it, without a final dot; None if it is not a valid name."""
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError:
            return None
    name = host.lower().removesuffix(".")
    return name if _HOST_NAME.fullmatch(name) else None


def _check_ipv4(host: str, allowed: Sequence[Network]) -> UrlFault | None:
    """`127.1`, `0x7f.1`, `0177.0.0.1` and `2130706433` all reach 127.0.0.1."""
    try:
        address = socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return UrlFault("the host is not a valid IPv4 address")
    return _refused(address, allowed)


def _refused(address: str, allowed: Sequence[Network]) -> UrlFault | None:
    reason = refusal_reason(address, allowed)
    return UrlFault(reason, is_policy=True) if reason else None
