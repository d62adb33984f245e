"""Admin pages of instances, terminations, reconciliation, projects and keys."""

from instances.admin.endings import UpstreamEndingAdmin
from instances.admin.gates import UpstreamGateAdmin
from instances.admin.instances import InstanceAdmin
from instances.admin.keys import AnsweringApiKeyAdmin
from instances.admin.projects import LimitedProjectAdmin
from instances.admin.reconciliation import InstallationAdmin, OrphanAdmin, ReconcileRunAdmin

__all__ = [
    "AnsweringApiKeyAdmin",
    "InstallationAdmin",
    "InstanceAdmin",
    "LimitedProjectAdmin",
    "OrphanAdmin",
    "ReconcileRunAdmin",
    "UpstreamEndingAdmin",
    "UpstreamGateAdmin",
]
