"""prune_jobs: forgets jobs that ended long ago, in small bites beside the work; and answers kept
for requests that are sent again.

Its work is the database's alone, so it happens in ``load``: each bite is a statement with a commit
of its own, and a run is over after a fraction of a second, since it holds up its worker's other
batches meanwhile. Live rows are never touched, and neither are the indexes that claims read.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction

from accounts import audit
from accounts.rest import idempotency, rate_limits
from jobs import counters
from jobs.handler import FOREVER, Handler, JobType, Resolved, RetryPolicy, WorkItem, register_type
from jobs.models import Job, JobStatus
from jobs.outcomes import Again, Outcome

logger = structlog.get_logger()

PRUNE_JOBS = "prune_jobs"
BITE_ROWS = 2_000
RUN_SECONDS = 0.3
# While there is more: long enough for others to be served, short enough for a million in a minute.
BREATHER = timedelta(milliseconds=100)
UNTIL_NEXT_LOOK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Limit:
    """How long rows of one ending are kept."""

    status: JobStatus
    days: float
    rows: int


class PruneJobs(Handler[None, None]):
    """Recurring; two at once would do no harm, since each skips what the other has locked."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[None] | Resolved]:
        idempotency.forget_old()
        rate_limits.forget_old()
        audit.forget_old()
        is_finished = prune(_limits(), seconds=RUN_SECONDS)
        pause = UNTIL_NEXT_LOOK if is_finished else BREATHER
        return [Resolved({job.pk: Again(pause) for job in jobs})]

    def call(self, work: None) -> None:
        """Nothing is called."""

    def apply(self, jobs: Sequence[Job], work: None, result: None) -> Mapping[int, Outcome]:
        return {job.pk: Again(UNTIL_NEXT_LOOK) for job in jobs}


def register_job_type() -> None:
    """Tell the queue; called once when Django is ready."""
    register_type(
        JobType(
            PRUNE_JOBS,
            PruneJobs(),
            batch_size=1,
            max_in_flight=1,
            retry=RetryPolicy(max_attempts=FOREVER),
            is_recurring=True,
        )
    )


def prune(limits: Sequence[Limit], *, seconds: float) -> bool:
    """Delete what is over its limit, for about so many seconds; whether nothing is left to do."""
    deadline = time.monotonic() + seconds
    for limit in limits:
        before = _cut_off(limit)
        while _bite(limit.status, before) == BITE_ROWS:
            if time.monotonic() > deadline:
                return False
    return True


def _limits() -> list[Limit]:
    config = settings.CONFIG
    return [
        Limit(JobStatus.COMPLETED, config.jobs_keep_days, config.jobs_keep_rows),
        Limit(JobStatus.CANCELLED, config.jobs_keep_days, config.jobs_keep_rows),
        Limit(JobStatus.FAILED, config.jobs_keep_failed_days, config.jobs_keep_rows),
    ]


_OLDER_THAN = "SELECT clock_timestamp() - make_interval(secs => %s)"

# As of the last vacuum or analyze, which come after every thousand changes; -1 before the first.
_ESTIMATE = "SELECT reltuples FROM pg_class WHERE oid = 'job_finished'::regclass"

_NEWEST_TO_GO = """
SELECT completed_at FROM jobs_job WHERE status = %s AND completed_at IS NOT NULL
ORDER BY completed_at DESC OFFSET %s LIMIT 1
"""


def _cut_off(limit: Limit) -> datetime:
    """The end up to which rows go: by age, or by number where that is later."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDER_THAN, [limit.days * 86_400])
        moments: list[datetime] = [cursor.fetchone()[0]]
        cursor.execute(_ESTIMATE)
        (estimate,) = cursor.fetchone()
        # Stepping over a million index entries takes a fifth of a second: not without reason.
        if estimate < 0 or estimate >= limit.rows:
            cursor.execute(_NEWEST_TO_GO, [limit.status, limit.rows])
            moments += [row[0] for row in cursor.fetchall()]
    return max(moments)


_BITE = """
DELETE FROM jobs_job WHERE id = ANY(ARRAY(
    SELECT id FROM jobs_job WHERE status = %s AND completed_at <= %s
    ORDER BY completed_at LIMIT %s FOR UPDATE SKIP LOCKED
))
"""


def _bite(status: JobStatus, before: datetime) -> int:
    """Oldest first. A row that is being redriven at this moment is locked, and so stays."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BITE, [status, before, BITE_ROWS])
        taken: int = cursor.rowcount
        if taken:
            counters.count(counters.JOBS_PRUNED, taken)
    logger.debug("jobs_pruned", status=status, count=taken)
    return taken
