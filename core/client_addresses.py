"""The client address of a request, by FORWARDED_ALLOW_IPS."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
# Prefix length of IPv6 that one subscriber has; it may use any address of it.
_SUBSCRIBER_BITS = 64


def client_address(request: HttpRequest) -> Address | None:
    """The nearest address that is not a trusted proxy; None without one (a Unix socket).

    X-Forwarded-For is read from its end, which the nearest proxy wrote; entries further left may be
    forged by the client. With ``*`` only the peer is a proxy.
    """
    found = parse_address(request.META.get("REMOTE_ADDR", ""))
    hops = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    any_peer = _trusts_any()
    while hops and (any_peer or _is_proxy(found)):
        any_peer = False
        before = parse_address(hops.pop())
        if before is None:
            break
        found = before
    return found


def is_trusted_peer(peer: str) -> bool:
    """Whether X-Forwarded-* headers that come from this address count."""
    return _trusts_any() or _is_proxy(parse_address(peer))


def is_within(address: Address | None, networks: Sequence[object]) -> bool:
    return address is not None and any(address in network for network in networks)  # type: ignore[operator]


def subscriber(address: Address) -> str:
    """The part of an address that one subscriber cannot change: an IPv4 address, or the first half
    of an IPv6 address.
    """
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, _SUBSCRIBER_BITS), strict=False).network_address)


@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """Parse an address; some proxies add a port: ``192.0.2.1:4711``, ``[2001:db8::1]:4711``."""
    word = text.strip()
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        address = ip_address(word.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _trusts_any() -> bool:
    return "*" in _words(settings.CONFIG.forwarded_allow_ips)


def _is_proxy(address: Address | None) -> bool:
    # A peer without an address speaks over a Unix socket of this machine.
    return address is None or is_within(address, _networks(settings.CONFIG.forwarded_allow_ips))


@lru_cache(maxsize=8)
def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(word, strict=False) for word in _words(text) if word != "*")


@lru_cache(maxsize=8)
def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
