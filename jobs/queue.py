"""How work gets into the queue: enqueue, wake, recurring rows.

Job state is written here, in ``engine`` (claim, leases, outcomes) and in
``control`` (what people do), and nowhere else.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.models import Project
from jobs.handler import all_types, get_type
from jobs.models import Job, JobPriority, new_job_id

CHANNEL = "novitai_jobs"


def enqueue(
    type_: str,
    *,
    payload: dict[str, Any],
    subject: str = "",
    project: Project | None = None,
    priority: int = JobPriority.NORMAL,
    dedupe_key: str | None = None,
    request_id: str = "",
    run_at: datetime | None = None,
) -> Job:
    """Add a job in the caller's transaction and wake the clusters when it commits.

    A live job with the same ``dedupe_key`` is returned instead of a second one; if it is being
    worked on, it is marked to run once more, since it may have read what has changed since.
    """
    parameters = {
        "public_id": new_job_id(),
        "project": project.pk if project else None,
        "type": str(type_),
        "subject": subject,
        "payload": json.dumps(payload),
        "priority": int(priority),
        "max_attempts": get_type(type_).retry.max_attempts,
        "run_at": run_at,
        "dedupe_key": dedupe_key,
        "request_id": request_id,
    }
    # One commit also where the caller has no transaction: each waits for the disk.
    with transaction.atomic(savepoint=False):
        # In the same round trip, where this transaction has not woken anybody yet.
        statement = _ENQUEUE if _is_woken() else _ENQUEUE_AND_WAKE
        (job,) = Job.objects.raw(statement, parameters)
    return job


def new_job(
    type_: str,
    *,
    payload: dict[str, Any],
    subject: str,
    project: Project,
    priority: int,
    dedupe_key: str,
    request_id: str,
) -> Job:
    """A job of something that is itself new, for ``inserts.insert(..., wake=CHANNEL)`` to write
    with it; so no live job can have its key yet.
    """
    return Job(
        type=str(type_),
        payload=payload,
        subject=subject,
        project=project,
        priority=int(priority),
        max_attempts=get_type(type_).retry.max_attempts,
        dedupe_key=dedupe_key,
        request_id=request_id,
    )


# One statement, also when the key is live: bursts enqueue hundreds of jobs in a transaction.
_ENQUEUE = """
INSERT INTO jobs_job (
    public_id, project_id, type, subject, payload, priority, max_attempts, run_at,
    dedupe_key, request_id, error, errors, worker
) VALUES (
    %(public_id)s, %(project)s, %(type)s, %(subject)s, %(payload)s, %(priority)s,
    %(max_attempts)s, coalesce(%(run_at)s, clock_timestamp()),
    %(dedupe_key)s, %(request_id)s, '', '[]', ''
)
ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL AND status IN ('pending', 'processing')
DO UPDATE SET rerun = jobs_job.rerun OR jobs_job.status = 'processing'
RETURNING *
"""
_ENQUEUE_AND_WAKE = f"{_ENQUEUE}, pg_notify('{CHANNEL}', '') AS woken"


def notify() -> None:
    """Wake whoever waits, at commit; once in a transaction, since each takes a round trip."""
    if connection.in_atomic_block and _is_woken():
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def _is_woken() -> bool:
    """Whether this transaction will wake everybody already; from now on it does.

    The mark goes where Django forgets it with a savepoint that is rolled back, as Postgres forgets
    the notification.
    """
    if any(entry[1] is _is_notified for entry in connection.run_on_commit):
        return True
    transaction.on_commit(_is_notified)
    return False


def _is_notified() -> None:
    """A mark among the things to do at commit; nothing is left to do."""


def ensure_recurring() -> None:
    """Make the row of every recurring type that has none; run at each start of a cluster.

    Looking does not wait for a row that somebody has locked, and enqueueing onto it would: a
    frozen worker must not keep a new cluster from starting.
    """
    recurring = [job_type for job_type in all_types() if job_type.is_recurring]
    keys = {f"recurring:{job_type.name}": job_type.name for job_type in recurring}
    there = Job.objects.live().filter(dedupe_key__in=keys).values_list("dedupe_key", flat=True)
    with transaction.atomic():
        for key in sorted(keys.keys() - set(there)):
            enqueue(keys[key], payload={}, priority=JobPriority.LOW, dedupe_key=key)
        _hasten([f"recurring:{each.name}" for each in recurring if each.runs_at_start])


def _hasten(dedupe_keys: Sequence[str]) -> None:
    """Make these rows due now; one that is locked is being worked on already."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE jobs_job SET run_at = clock_timestamp() WHERE id = ANY(ARRAY(
                SELECT id FROM jobs_job
                WHERE dedupe_key = ANY(%s) AND status = 'pending' AND run_at > clock_timestamp()
                ORDER BY id FOR UPDATE SKIP LOCKED
            ))
            """,
            [list(dedupe_keys)],
        )
