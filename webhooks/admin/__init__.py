"""Admin pages of webhooks."""

from webhooks.admin.deliveries import DeliveryAdmin
from webhooks.admin.endpoints import EndpointAdmin
from webhooks.admin.replays import ReplayAdmin

__all__ = ["DeliveryAdmin", "EndpointAdmin", "ReplayAdmin"]
