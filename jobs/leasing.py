"""Taking work, keeping it, giving it back: leases on job rows, and the tokens that guard them.

The claim is one statement: lapsed leases first, then due rows by priority and due time, through a
partial index, with SKIP LOCKED, so that any number of claimers share the rows without waiting for
one another. Times are the database's clock_timestamp(): now() stands still in a transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection

from jobs import registry
from jobs.models import Job, JobStatus
from jobs.queue import notify

LEASE = timedelta(seconds=15)


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
