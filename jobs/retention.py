"""The job prune_jobs: deletes old ended jobs, stored answers, rate limits and audit entries.

It needs only the database, so ``load`` does the work: each statement deletes a limited number of
rows and commits. A run ends after RUN_SECONDS, since the worker's other batches wait for it. Live
rows are not touched, and neither are the indexes that claims read.
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
from jobs.handler import (
    ATTEMPTS_WITHOUT_LIMIT,
    Handler,
    JobType,
    Resolved,
    RetryPolicy,
    WorkItem,
    register_type,
)
from jobs.models import Job, JobStatus
from jobs.outcomes import Again, Outcome

logger = structlog.get_logger()

PRUNE_JOBS = "prune_jobs"
BATCH_ROWS = 2_000
RUN_SECONDS = 0.3
# Pause while more is left: other jobs are served, and a million rows still go in a minute.
PAUSE = timedelta(milliseconds=100)
UNTIL_NEXT_RUN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Limit:
    """How long, and how many, rows of one final status are kept."""

    status: JobStatus
    days: float
    rows: int


class PruneJobs(Handler[None, None]):
    """Recurring. Two at once would do no harm, since each skips rows that the other has locked."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[None] | Resolved]:
        idempotency.forget_old()
        rate_limits.forget_old()
        audit.forget_old()
        is_finished = prune(_limits(), seconds=RUN_SECONDS)
        pause = UNTIL_NEXT_RUN if is_finished else PAUSE
        return [Resolved({job.pk: Again(pause) for job in jobs})]

    def call(self, work: None) -> None:
        """Never used: ``load`` resolves all jobs."""

    def apply(self, jobs: Sequence[Job], work: None, result: None) -> Mapping[int, Outcome]:
        return {job.pk: Again(UNTIL_NEXT_RUN) for job in jobs}


def register_job_type() -> None:
    """Registers the job type. Called once by AppConfig.ready."""
    register_type(
        JobType(
            PRUNE_JOBS,
            PruneJobs(),
            batch_size=1,
            max_in_flight=1,
            retry=RetryPolicy(max_attempts=ATTEMPTS_WITHOUT_LIMIT),
            is_recurring=True,
        )
    )


def prune(limits: Sequence[Limit], *, seconds: float) -> bool:
    """Delete rows over their limits for about ``seconds``. True if none are left."""
    deadline = time.monotonic() + seconds
    for limit in limits:
        before = _cut_off(limit)
        while _delete_batch(limit.status, before) == BATCH_ROWS:
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

# As of the last vacuum or analyze (after every thousand changes); -1 before the first one.
_ESTIMATE = "SELECT reltuples FROM pg_class WHERE oid = 'job_finished'::regclass"

_NEWEST_TO_GO = """
SELECT completed_at FROM jobs_job WHERE status = %s AND completed_at IS NOT NULL
ORDER BY completed_at DESC OFFSET %s LIMIT 1
"""


def _cut_off(limit: Limit) -> datetime:
    """Rows that ended up to this time are deleted: by age, or by number if that is later."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDER_THAN, [limit.days * 86_400])
        moments: list[datetime] = [cursor.fetchone()[0]]
        cursor.execute(_ESTIMATE)
        (estimate,) = cursor.fetchone()
        # Skipping a million index entries takes 0.2 s: not done unless there may be too many rows.
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


def _delete_batch(status: JobStatus, before: datetime) -> int:
    """Delete the oldest rows. A row that is being redriven at this moment is locked and skipped."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BITE, [status, before, BATCH_ROWS])
        taken: int = cursor.rowcount
        if taken:
            counters.count(counters.JOBS_PRUNED, taken)
    logger.debug("jobs_pruned", status=status, count=taken)
    return taken
