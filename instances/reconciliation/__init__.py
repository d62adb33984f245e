"""Everything at Novita compared with everything that is held here, both ways.

``plan_pass`` reads what is held, ``look`` lists what is there (network, no database), ``conclude``
writes what follows. The worker does it every minute, ``manage.py reconcile`` when asked.
"""

from instances.reconciliation.apply import conclude
from instances.reconciliation.findings import STANDING
from instances.reconciliation.plan import plan_pass
from instances.reconciliation.report import Finding, Report
from instances.reconciliation.scan import Held, ReconcileWork, Seen, look

__all__ = [
    "STANDING",
    "Finding",
    "Held",
    "ReconcileWork",
    "Report",
    "Seen",
    "conclude",
    "look",
    "plan_pass",
]
