"""What settings allow: networks of receivers."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from django.conf import settings

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def allowed_networks() -> Sequence[IPv4Network | IPv6Network]:
    """WEBHOOK_ALLOWED_NETWORKS, or loopback outside production: private networks of receivers."""
    configured = settings.CONFIG.webhook_allowed_networks
    if configured is not None:
        return tuple(configured)
    return () if settings.CONFIG.is_production else LOOPBACK
