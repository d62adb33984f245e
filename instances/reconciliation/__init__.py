"""Compares all that is at Novita with all that is held here, in both directions.

``plan_pass`` reads the rows, ``look`` lists the account (network, no database), ``conclude`` writes
the result. Run every RECONCILE_INTERVAL and by ``manage.py reconcile``.
"""

from instances.reconciliation.apply import apply_pass
from instances.reconciliation.findings import STANDING
from instances.reconciliation.plan import plan_pass
from instances.reconciliation.report import Finding, Report
from instances.reconciliation.scan import Held, ReconcileWork, Seen, scan_account

__all__ = [
    "STANDING",
    "Finding",
    "Held",
    "ReconcileWork",
    "Report",
    "Seen",
    "apply_pass",
    "plan_pass",
    "scan_account",
]
