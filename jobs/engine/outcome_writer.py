"""Writes outcomes of jobs as row states, in the caller's transaction."""

import json
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.utils import timezone

from jobs import queue
from jobs.engine.leasing import bigints
from jobs.handler import ATTEMPTS_WITHOUT_LIMIT, get_type
from jobs.models import Job, JobStatus
from jobs.outcomes import Again, Done, GiveUp, Outcome, Released, Retry

logger = structlog.get_logger()

KEPT_ERRORS = 10
_GIVEN_UP = [
    *("status", "completed_at", "lease_token", "lease_expires_at"),
    *("rerun", "error", "errors"),
]

_DONE = """
UPDATE jobs_job SET
    status = CASE WHEN rerun THEN 'pending' ELSE 'completed' END,
    completed_at = CASE WHEN rerun THEN NULL ELSE clock_timestamp() END,
    run_at = CASE WHEN rerun THEN clock_timestamp() ELSE run_at END,
    attempts = CASE WHEN rerun THEN 0 ELSE attempts END,
    rerun = false, is_suspect = false, error = '', lease_token = NULL, lease_expires_at = NULL
WHERE id = ANY(%s::bigint[])
"""

_PENDING_AGAIN = """
UPDATE jobs_job j SET
    status = 'pending',
    run_at = CASE WHEN j.rerun AND NOT o.keeps_delay THEN clock_timestamp()
                  ELSE coalesce(o.at, clock_timestamp() + o.after) END,
    attempts = greatest(j.attempts - o.taken_back, 0),
    error = coalesce(o.error, j.error), errors = coalesce(o.errors::jsonb, j.errors),
    rerun = false, is_suspect = j.is_suspect AND o.taken_back = 1,
    lease_token = NULL, lease_expires_at = NULL
FROM unnest(%s::bigint[], %s::interval[], %s::timestamptz[], %s::int[], %s::text[], %s::text[],
    %s::bool[]) AS o(id, after, at, taken_back, error, errors, keeps_delay)
WHERE j.id = o.id
"""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A row that returns to pending. ``taken_back``: attempts to subtract."""

    job_id: int
    after: timedelta
    at: datetime | None = None
    taken_back: int = 0
    error: str | None = None
    errors: str | None = None
    keeps_delay: bool = False


def write_outcomes(jobs: Mapping[int, Job], outcomes: Mapping[int, Outcome]) -> None:
    """Write the outcomes of jobs that the caller has locked with leasing.lock_owned."""
    done: list[int] = []
    pending: list[_Pending] = []
    for pk, outcome in outcomes.items():
        match outcome:
            case Done():
                done.append(pk)
            case Again(after, at):
                pending.append(_Pending(pk, after, at, taken_back=ATTEMPTS_WITHOUT_LIMIT))
            case Released():
                pending.append(_Pending(pk, timedelta(0), taken_back=1))
            case Retry() if jobs[pk].attempts < jobs[pk].max_attempts:
                pending.append(_retried(jobs[pk], outcome))
            case Retry() | GiveUp():
                give_up(jobs[pk], outcome.error, outcome.traceback)
    _write_done(done)
    _write_pending(pending)


def give_up(job: Job, error: str, traceback: str = "") -> None:
    """Fail a job for good and call its handler's ``on_give_up``. Needs a transaction and a lock.

    If the same work was enqueued while this row was processing, it gets a new row: that request
    came after the failure. If ``on_give_up`` made the work pointless, the handler's ``load`` finds
    that out, as after every delay.

    ``job`` itself is not changed: if the handler raises, it still has its token.
    """
    is_asked_for_again = _is_marked_to_rerun(job)
    ended = copy(job)
    ended.status = JobStatus.FAILED
    ended.completed_at = timezone.now()
    ended.lease_token = ended.lease_expires_at = None
    ended.rerun = False
    ended.error = error
    ended.errors = _history(job, error, traceback)
    ended.save(update_fields=_GIVEN_UP)
    get_type(job.type).handler.on_give_up(ended, error)
    if is_asked_for_again:
        _enqueue_anew(ended)
    _log("job_failed", job, error)


def fail_exhausted(job: Job) -> None:
    """Fail a row that came back from dead workers with all its attempts used."""
    with transaction.atomic():
        row = Job.objects.select_for_update().get(pk=job.pk)
        if row.lease_token == job.lease_token:
            give_up(row, f"The worker died in each of {row.attempts} attempts.")


def _is_marked_to_rerun(job: Job) -> bool:
    """Reads the row: ``rerun`` is set while the job runs, after the worker read its copy."""
    return Job.objects.filter(pk=job.pk, rerun=True).exists()


def _enqueue_anew(job: Job) -> None:
    queue.enqueue(
        job.type,
        payload=job.payload,
        subject=job.subject,
        project=job.project,
        priority=job.priority,
        dedupe_key=job.dedupe_key,
        request_id=job.request_id,
        fair_key=job.fair_key,
    )


def _log(event: str, job: Job, error: str) -> None:
    logger.warning(
        event,
        job_id=job.public_id,
        type=job.type,
        subject=job.subject,
        attempt=job.attempts,
        error=error[:200],
        request_id=job.request_id,
    )


def _retried(job: Job, outcome: Retry) -> _Pending:
    _log("job_attempt_failed", job, outcome.error)
    policy = get_type(job.type).retry
    return _Pending(
        job.pk,
        outcome.after if outcome.after is not None else policy.delay(job.attempts),
        error=outcome.error,
        errors=json.dumps(_history(job, outcome.error, outcome.traceback)),
        keeps_delay=outcome.keeps_delay,
    )


def _history(job: Job, error: str, traceback: str) -> list[dict[str, object]]:
    entry = {
        "at": timezone.now().isoformat(),
        "attempt": job.attempts,
        "error": error[:2000],
        "traceback": traceback[-8000:],
    }
    return [*job.errors, entry][-KEPT_ERRORS:]


def _write_done(ids: list[int]) -> None:
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(_DONE, [bigints(ids)])


def _write_pending(rows: list[_Pending]) -> None:
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _PENDING_AGAIN,
            [
                [row.job_id for row in rows],
                [row.after for row in rows],
                [row.at for row in rows],
                [row.taken_back for row in rows],
                [row.error for row in rows],
                [row.errors for row in rows],
                [row.keeps_delay for row in rows],
            ],
        )
    # Rows may be due at once, or before the time that the brokers wait for.
    queue.notify()
