"""Models of this app: columns, constraints and querysets."""

from instances.models.catalogue import CachedProduct, CachedTemplate, Cluster, ListedTemplate
from instances.models.credentials import InstanceCredentials
from instances.models.event import InstanceEvent
from instances.models.instance import Instance
from instances.models.reconciliation import OpenFinding, Orphan, ReconcileRun
from instances.models.upstream import Installation, Tally, UpstreamEnding, UpstreamGate
from instances.models.webhook import WebhookDelivery

__all__ = [
    "CachedProduct",
    "CachedTemplate",
    "Cluster",
    "Installation",
    "Instance",
    "InstanceCredentials",
    "InstanceEvent",
    "ListedTemplate",
    "OpenFinding",
    "Orphan",
    "ReconcileRun",
    "Tally",
    "UpstreamEnding",
    "UpstreamGate",
    "WebhookDelivery",
]
