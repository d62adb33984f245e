"""Instances for operators."""

from instances.admin.deliveries import WebhookDeliveryAdmin
from instances.admin.endings import UpstreamEndingAdmin
from instances.admin.gates import UpstreamGateAdmin
from instances.admin.instances import InstanceAdmin
from instances.admin.projects import LimitedProjectAdmin

__all__ = [
    "InstanceAdmin",
    "LimitedProjectAdmin",
    "UpstreamEndingAdmin",
    "UpstreamGateAdmin",
    "WebhookDeliveryAdmin",
]
