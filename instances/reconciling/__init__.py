"""Everything at Novita compared with everything that is held here, both ways.

``plan`` reads what is held, ``look`` lists what is there (network, no database), ``conclude``
writes what follows. The worker does it every minute, ``manage.py reconcile`` when asked.
"""

from instances.reconciling.concluding import conclude
from instances.reconciling.findings import STANDING
from instances.reconciling.looking import Held, ReconcileWork, Seen, look
from instances.reconciling.planning import plan
from instances.reconciling.report import Finding, Report

__all__ = [
    "STANDING",
    "Finding",
    "Held",
    "ReconcileWork",
    "Report",
    "Seen",
    "conclude",
    "look",
    "plan",
]
