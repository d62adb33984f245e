"""IP addresses that a customer's webhook may be sent to: those of the public Internet.

Sources: the IANA special-purpose registries for IPv4 and IPv6. For IPv6 the rule is an allow list
(2000::/3 without its special blocks), so NAT64, unique-local, link-local, multicast and blocks
assigned in future are refused without being listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_REFUSED_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network; 0.0.0.0 reaches the local host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and some clouds' metadata
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local: the clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # Teredo, benchmarking, ORCHID: tunnels and test nets
        "2001:db8::/32",
        "2002::/16",  # 6to4 wraps any IPv4 address, private ones too
        "3fff::/20",
    )
)


def refusal_reason(text: str, allowed_networks: Sequence[Network] = ()) -> str | None:
    """Reason to refuse an address, or None. Never raises, never uses the network.

    An IPv4 address mapped into IPv6 is checked as the IPv4 address that it reaches.
    """
    try:
        address: Address = ip_address(text.partition("%")[0])
    except ValueError:
        return "it is not an IP address"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if is_inside(address, allowed_networks):
        return None
    return None if _is_public(address) else "the address is private or reserved"


def is_inside(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == net.version and address in net for net in networks)


def loopback_is_allowed(allowed_networks: Sequence[Network]) -> bool:
    """Required for the name `localhost`."""
    return any(net.overlaps(ip_network("127.0.0.0/8")) for net in _v4(allowed_networks)) or any(
        IPv6Address("::1") in net for net in allowed_networks if isinstance(net, IPv6Network)
    )


def _v4(networks: Sequence[Network]) -> list[IPv4Network]:
    return [net for net in networks if isinstance(net, IPv4Network)]


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not is_inside(address, _REFUSED_V4)
    is_special = is_inside(address, _REFUSED_V6) or address not in _GLOBAL_V6
    return address.is_global and not is_special
