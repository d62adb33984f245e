"""Plans a pass: the rows to compare, and the calls to Novita. For ``load``."""

from django.conf import settings
from django.db.models.functions import Coalesce

from core.clock import database_now
from instances.domain.enums import (
    STEADY_STATUSES,
    TRANSITIONAL_STATUSES,
    InstanceStatus,
    OnStartFailure,
)
from instances.models import Instance
from instances.models.instance import InstanceQuerySet
from instances.novita import client_factory, limiter, listing_profile
from instances.novita.call_classes import CallClass
from instances.reconciliation.scan import Held, ReconcileWork

# Gets by id in a pass, for GPUs that the list lacks or shows in another status.
SINGLE_READS = 25
EXPECTED: dict[str, str] = {InstanceStatus.RUNNING: "running", InstanceStatus.STOPPED: "exited"}


def monitored_here() -> InstanceQuerySet:
    """Rows that the reconciler observes.

    Stable ones, failed ones with the GPU kept, and those in transition that their monitor job did
    not find: that job reads no whole list and cannot conclude an absence.
    """
    account = settings.CONFIG.upstream_account
    mine = Instance.objects.holding().filter(upstream_account=account)
    unseen = mine.filter(status__in=TRANSITIONAL_STATUSES, absence_seen_at__isnull=False)
    kept = mine.filter(status=InstanceStatus.FAILED, on_start_failure=OnStartFailure.KEEP)
    return mine.filter(status__in=STEADY_STATUSES) | kept | unseen


def plan_pass(*, request_id: str = "") -> ReconcileWork:
    """Reserve the calls of a pass; if refused, ``permit.wait`` of the result says how long."""
    pages = listing_profile.recall_whole()
    permit = limiter.reserve(2 * pages + 3 + SINGLE_READS, CallClass.WATCH, at_least=2)
    observed_at = Coalesce("absence_looked_at", "upstream_seen_at")
    longest_unseen = monitored_here().order_by(observed_at, "pk")
    held = tuple(
        Held(upstream_id, EXPECTED.get(status, ""))
        for upstream_id, status in longest_unseen.values_list("upstream_id", "status")
    )
    return ReconcileWork(
        permit=permit,
        pages=pages,
        signer=client_factory.name_signer(),
        held=held,
        begun_at=database_now(),
        request_id=request_id,
    )
