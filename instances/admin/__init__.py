"""Instances for operators."""

from instances.admin.deliveries import WebhookDeliveryAdmin
from instances.admin.gates import UpstreamGateAdmin
from instances.admin.instances import InstanceAdmin

__all__ = ["InstanceAdmin", "UpstreamGateAdmin", "WebhookDeliveryAdmin"]
