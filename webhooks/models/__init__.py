"""Models of webhooks."""

from webhooks.models.delivery import Attempt, Delivery, DeliveryStatus
from webhooks.models.endpoint import BacklogPolicy, Endpoint, EndpointKind, Signature
from webhooks.models.message import Message
from webhooks.models.replay import Replay, ReplayStatus

__all__ = [
    "Attempt",
    "BacklogPolicy",
    "Delivery",
    "DeliveryStatus",
    "Endpoint",
    "EndpointKind",
    "Message",
    "Replay",
    "ReplayStatus",
    "Signature",
]
