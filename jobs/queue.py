"""Adds jobs to the queue: enqueue, wake the clusters, create recurring rows.

Job state is written only here, in ``engine`` (claims, leases, outcomes) and in ``control`` (actions
of people).
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
    fair_key: str = "",
) -> Job:
    """Add a job in the caller's transaction; its commit wakes the clusters.

    ``fair_key``: whose share of a fair type the job uses; without it the project's.
    If a live job has the same ``dedupe_key``, it is returned and no second one is added. If that
    job is processing, it is marked to run once more, since it may have read older data.
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
        "fair_key": _fair_key(type_, project, fair_key),
    }
    # One commit even if the caller has no transaction: each commit waits for the disk.
    with transaction.atomic(savepoint=False):
        # Wakes in the same round trip, unless this transaction has done so already.
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
    fair_key: str = "",
) -> Job:
    """An unsaved job about a new row, for ``inserts.insert(..., wake=CHANNEL)`` to write together
    with it. Because that row is new, no live job can have the dedupe key.
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
        fair_key=_fair_key(type_, project, fair_key),
    )


def _fair_key(type_: str, project: Project | None, fair_key: str) -> str:
    """Of a fair type, the project's share if the caller names no other."""
    if not get_type(type_).is_fair:
        return ""
    return (fair_key or (str(project.pk) if project is not None else ""))[:120]


# One statement even if the key is live: bursts enqueue hundreds of jobs in a transaction.
_ENQUEUE = """
INSERT INTO jobs_job (
    public_id, project_id, type, subject, payload, priority, max_attempts, run_at,
    dedupe_key, request_id, fair_key, error, errors, worker
) VALUES (
    %(public_id)s, %(project)s, %(type)s, %(subject)s, %(payload)s, %(priority)s,
    %(max_attempts)s, coalesce(%(run_at)s, clock_timestamp()),
    %(dedupe_key)s, %(request_id)s, %(fair_key)s, '', '[]', ''
)
ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL AND status IN ('pending', 'processing')
DO UPDATE SET rerun = jobs_job.rerun OR jobs_job.status = 'processing'
RETURNING *
"""
_ENQUEUE_AND_WAKE = f"{_ENQUEUE}, pg_notify('{CHANNEL}', '') AS woken"


def notify() -> None:
    """Wake all clusters at commit. Once in a transaction, since each call takes a round trip."""
    if connection.in_atomic_block and _is_woken():
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def _is_woken() -> bool:
    """True if this transaction has notified already. If not, marks it as notified.

    The mark is an on_commit callback: like the notification in Postgres, Django drops it when its
    savepoint is rolled back.
    """
    if any(entry[1] is _is_notified for entry in connection.run_on_commit):
        return True
    transaction.on_commit(_is_notified)
    return False


def _is_notified() -> None:
    """Marks a transaction as notified (see ``_is_woken``); does nothing itself."""


def ensure_recurring() -> None:
    """Create the missing rows of recurring types; called at each start of a cluster.

    Searches first, because SELECT does not wait for a locked row and ``enqueue`` would: a frozen
    worker must not keep a new cluster from starting.
    """
    recurring = [job_type for job_type in all_types() if job_type.is_recurring]
    keys = {f"recurring:{job_type.name}": job_type.name for job_type in recurring}
    there = Job.objects.live().filter(dedupe_key__in=keys).values_list("dedupe_key", flat=True)
    with transaction.atomic():
        for key in sorted(keys.keys() - set(there)):
            enqueue(keys[key], payload={}, priority=JobPriority.LOW, dedupe_key=key)
        hasten([f"recurring:{each.name}" for each in recurring if each.runs_at_start])


def lock_live(dedupe_keys: Sequence[str]) -> None:
    """Lock the live jobs of these keys in the order of their ids, as workers do. For transactions
    that enqueue several keys that may be live: each would be locked as it comes.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM jobs_job WHERE dedupe_key = ANY(%s)"
            " AND status IN ('pending', 'processing') ORDER BY id FOR UPDATE",
            [list(dedupe_keys)],
        )


def hasten(dedupe_keys: Sequence[str]) -> int:
    """Make these pending rows due now; returns how many. Skips locked ones: they are being claimed
    already.
    """
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
        hastened: int = cursor.rowcount
    if hastened:
        notify()
    return hastened
