"""The only writer of job state: enqueue, claim, start, renew, settle, redrive.

The claim is one statement (after engine measurements on Postgres): lapsed leases first, then due
rows by priority and due time, through a partial index, with SKIP LOCKED, so that any number of
claimers share the rows without waiting for one another.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Project
from jobs import registry
from jobs.errors import JobNotRedrivable
from jobs.models import Job, JobPriority, JobStatus, new_job_id

LEASE = timedelta(seconds=15)
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
        "max_attempts": registry.get(type_).retry.max_attempts,
        "run_at": run_at,
        "dedupe_key": dedupe_key,
        "request_id": request_id,
    }
    (job,) = Job.objects.raw(_ENQUEUE, parameters)
    notify()
    return job


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
ON CONFLICT (dedupe_key) WHERE status IN ('pending', 'processing')
DO UPDATE SET rerun = jobs_job.rerun OR jobs_job.status = 'processing'
RETURNING *
"""


def notify() -> None:
    """Wake whoever waits, at commit; once in a transaction, since each takes a round trip.

    The mark goes where Django forgets it with a savepoint that is rolled back, as Postgres forgets
    the notification.
    """
    if connection.in_atomic_block:
        if any(entry[1] is _is_notified for entry in connection.run_on_commit):
            return
        transaction.on_commit(_is_notified)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def _is_notified() -> None:
    """A mark among the things to do at commit; nothing is left to do."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed row and the token under which it may be written."""

    job_id: int
    token: int
    type: str
    is_suspect: bool
    is_exhausted: bool


_CLAIM = """
WITH in_flight AS (
    SELECT type, count(*) AS n FROM jobs_job WHERE status = 'processing' GROUP BY type
), open AS MATERIALIZED (
    SELECT t.type, least(t.batch, t.cap - coalesce(f.n, 0)) AS room
    FROM unnest(%(types)s::text[], %(batches)s::int[], %(caps)s::int[]) AS t(type, batch, cap)
    LEFT JOIN in_flight f ON f.type = t.type
    WHERE t.cap > coalesce(f.n, 0)
)
UPDATE jobs_job SET
    status = 'processing',
    is_suspect = (status = 'processing'),
    lease_token = nextval('jobs_lease_token'),
    lease_expires_at = clock_timestamp() + %(lease)s,
    worker = %(worker)s
WHERE id = ANY(ARRAY(
    SELECT id FROM (
        SELECT id FROM jobs_job
        WHERE status = 'processing' AND lease_expires_at < clock_timestamp()
        ORDER BY lease_expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ) lapsed
    UNION ALL
    SELECT id FROM (
        -- A type's room is shared by its priorities.
        SELECT j.id, j.run_at, lane.priority, lane.room, row_number() OVER (
            PARTITION BY lane.type ORDER BY lane.priority DESC, j.run_at
        ) AS place
        FROM (
            SELECT p.priority, o.type, o.room
            FROM generate_series(4, 1, -1) AS p(priority) CROSS JOIN open o
        ) lane, LATERAL (
            SELECT id, run_at FROM jobs_job
            WHERE status = 'pending' AND type = lane.type AND priority = lane.priority
              AND run_at <= clock_timestamp()
            ORDER BY run_at LIMIT lane.room FOR UPDATE SKIP LOCKED
        ) j
        ORDER BY lane.priority DESC, j.run_at
    ) due
    WHERE place <= room
    LIMIT %(limit)s
))
RETURNING id, lease_token, type, is_suspect, attempts >= max_attempts
"""


def claim(*, worker: str, limit: int = 500) -> list[Lease]:
    """Take due rows and rows whose lease lapsed, and lease them to this worker."""
    types = registry.all_types()
    parameters: dict[str, Any] = {
        "types": [str(t.name) for t in types],
        "batches": [t.batch_size for t in types],
        "caps": [t.max_in_flight for t in types],
        "lease": LEASE,
        "worker": worker,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [Lease(*row) for row in cursor.fetchall()]


_SECONDS_TO_NEXT = """
SELECT extract(epoch FROM min(soonest.run_at) - clock_timestamp())
FROM unnest(%(types)s::text[]) AS t(type) CROSS JOIN generate_series(1, 4) AS p(priority),
LATERAL (
    SELECT run_at FROM jobs_job
    WHERE status = 'pending' AND type = t.type AND priority = p.priority
      AND run_at > clock_timestamp()
    ORDER BY run_at LIMIT 1
) soonest
"""


def seconds_to_next_due() -> float | None:
    """Seconds until the next future row is due; None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_SECONDS_TO_NEXT, {"types": [str(t.name) for t in registry.all_types()]})
        (seconds,) = cursor.fetchone()
    return None if seconds is None else float(seconds)


def has_blocked_rows() -> bool:
    """Whether some type is at its cap, so that due rows may wait for a slot and not for time."""
    caps = {str(t.name): t.max_in_flight for t in registry.all_types()}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT type, count(*) FROM jobs_job WHERE status = 'processing' GROUP BY type"
        )
        return any(count >= caps.get(name, count + 1) for name, count in cursor.fetchall())


def start(leases: Sequence[tuple[int, int]]) -> list[Job]:
    """Begin work: renew the leases, count the attempt, return the rows that are still ours.

    What waited in a queue had no heartbeat, so another worker may hold it by now.
    """
    return list(
        Job.objects.raw(
            """
            UPDATE jobs_job j SET
                lease_expires_at = clock_timestamp() + %s,
                attempts = attempts + 1,
                processed_at = clock_timestamp()
            FROM unnest(%s::bigint[], %s::bigint[]) AS mine(id, token)
            WHERE j.id = mine.id AND j.lease_token = mine.token AND j.status = 'processing'
            RETURNING j.*
            """,
            [LEASE, [job_id for job_id, _ in leases], [token for _, token in leases]],
        )
    )


def hand_back(leases: Sequence[tuple[int, int]]) -> None:
    """Return claimed rows that were not started; they lose no attempt."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE jobs_job j SET
                status = 'pending', lease_token = NULL, lease_expires_at = NULL
            FROM unnest(%s::bigint[], %s::bigint[]) AS mine(id, token)
            WHERE j.id = mine.id AND j.lease_token = mine.token AND j.status = 'processing'
            """,
            [[job_id for job_id, _ in leases], [token for _, token in leases]],
        )
    notify()


def renew(leases: Mapping[int, int]) -> set[int]:
    """Extend the leases; return the ids that were extended. The heartbeat's statement.

    A row that is locked is being settled at this moment: waiting for it would deadlock with the
    settling of the others, so it is skipped.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE jobs_job SET lease_expires_at = clock_timestamp() + make_interval(secs => %s)
            WHERE id = ANY(ARRAY(
                SELECT j.id FROM jobs_job j
                JOIN unnest(%s::bigint[], %s::bigint[]) AS mine(id, token)
                  ON j.id = mine.id AND j.lease_token = mine.token
                WHERE j.status = 'processing'
                ORDER BY j.id FOR UPDATE OF j SKIP LOCKED
            ))
            RETURNING id
            """,
            [LEASE.total_seconds(), list(leases), list(leases.values())],
        )
        return {row[0] for row in cursor.fetchall()}


def still_ours(jobs: Iterable[Job]) -> set[int]:
    """Lock the job rows that still carry our token and return their ids, in a transaction.

    Every write on behalf of a job begins here: a worker whose lease was taken over finds nothing.
    Rows are locked by id, everywhere, so that two workers cannot deadlock.
    """
    tokens = {job.pk: job.lease_token for job in jobs}
    rows = (
        Job.objects.select_for_update()
        .filter(pk__in=tokens, status=JobStatus.PROCESSING)
        .order_by("pk")
        .values_list("pk", "lease_token")
    )
    return {pk for pk, token in rows if tokens[pk] == token}


def redrive(job: Job, *, actor: str) -> Job:
    """Set a failed job going again, with all its attempts. Raises JobNotRedrivable."""
    with transaction.atomic():
        row = Job.objects.select_for_update().get(pk=job.pk)
        handler = registry.get(row.type).handler
        if row.status != JobStatus.FAILED:
            raise JobNotRedrivable(f"Job {row.public_id} is {row.status}, not failed.")
        if not handler.is_redrivable(row):
            raise JobNotRedrivable(f"A job of type {row.type} cannot be run again.")
        if row.dedupe_key and Job.objects.live().filter(dedupe_key=row.dedupe_key).exists():
            raise JobNotRedrivable(f"The work of job {row.public_id} is under way already.")
        row.status = JobStatus.PENDING
        row.attempts = 0
        row.completed_at = None
        row.run_at = Now()
        note = {"at": timezone.now().isoformat(), "error": f"run again by {actor}"}
        row.errors = [*row.errors, note]
        row.save(update_fields=["status", "attempts", "completed_at", "run_at", "errors"])
        handler.on_redrive(row)
        notify()
    row.refresh_from_db()
    return row


def ensure_recurring() -> None:
    """Make the row of every recurring type that has none; run at each start of a cluster."""
    recurring = [job_type for job_type in registry.all_types() if job_type.is_recurring]
    with transaction.atomic():
        for job_type in recurring:
            enqueue(
                job_type.name,
                payload={},
                priority=JobPriority.LOW,
                dedupe_key=f"recurring:{job_type.name}",
            )
