"""prune_webhooks: deletes old messages with their deliveries, and revives lanes without a job."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction

from core.clock import database_now
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from webhooks import lanes
from webhooks.models import Delivery
from webhooks.owner import owner
from webhooks.services.endpoints import cancel_pending

PAUSE = timedelta(minutes=1)
# While more is left.
SHORT_PAUSE = timedelta(milliseconds=100)
BATCH_ROWS = 1_000
# Most seconds of a run: the worker's other batches wait for it.
RUN_SECONDS = 0.3
MOST_LANES = 500


class PruneWebhooks(Handler[None, None]):
    """Recurring work. It needs only the database, so ``load`` does it, in small batches."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[None] | Resolved]:
        if held := owner().paused(jobs):
            return held
        lanes.enqueue_stranded(lanes.stranded()[:MOST_LANES])
        _cancel_for_deleted()
        pause = PAUSE if prune(seconds=RUN_SECONDS) else SHORT_PAUSE
        return [Resolved({job.pk: Again(pause) for job in jobs})]

    def call(self, work: None) -> None:
        """Nothing is called."""

    def apply(self, jobs: Sequence[Job], work: None, result: None) -> Mapping[int, Outcome]:
        return {job.pk: Again(PAUSE) for job in jobs}


def _cancel_for_deleted() -> None:
    """What was written for an endpoint while it was deleted."""
    gone = Delivery.objects.filter(status="pending", endpoint__deleted_at__isnull=False).order_by()
    chosen = list(gone.values_list("pk", flat=True)[:BATCH_ROWS])
    cancel_pending(Delivery.objects.filter(pk__in=chosen), database_now())


def prune(*, seconds: float) -> bool:
    """Delete messages beyond WEBHOOK_KEEP_DAYS, and delivered ones beyond WEBHOOK_KEEP_MESSAGES,
    oldest first. True if this was completed in time.
    """
    until = time.monotonic() + seconds
    while _delete_batch():
        if time.monotonic() > until:
            return False
    return True


def _delete_batch() -> int:
    config = settings.CONFIG
    parameters = {
        "seconds": config.webhook_keep_days * 86_400,
        "rows": config.webhook_keep_messages,
        "batch": BATCH_ROWS,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CHOSEN, parameters)
        chosen = [row[0] for row in cursor.fetchall()]
        for statement in _DELETE if chosen else ():
            cursor.execute(statement, [chosen])
    return len(chosen)


# Only the oldest rows are looked at, however many there are. What is beyond the number is found by
# the ids: they have gaps only where transactions were rolled back, so a few fewer may be kept.
_CHOSEN = """
WITH bound AS MATERIALIZED (
    SELECT clock_timestamp() - make_interval(secs => %(seconds)s) AS oldest,
        (SELECT max(id) FROM webhooks_message) - %(rows)s AS last
), first AS MATERIALIZED (
    SELECT id, created_at FROM webhooks_message ORDER BY id LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
)
SELECT first.id FROM first, bound
WHERE first.created_at < bound.oldest OR (first.id <= bound.last AND NOT EXISTS (
    SELECT FROM webhooks_delivery d WHERE d.message_id = first.id AND d.status = 'pending'
))
"""
_DELETE = (
    "DELETE FROM webhooks_attempt WHERE delivery_id IN"
    " (SELECT id FROM webhooks_delivery WHERE message_id = ANY(%s))",
    "DELETE FROM webhooks_delivery WHERE message_id = ANY(%s)",
    "DELETE FROM webhooks_message WHERE id = ANY(%s)",
)
