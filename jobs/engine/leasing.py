"""Leases on job rows and the tokens that guard them: start, renew, release, expire, lock.

``claim`` takes the rows. Times are the database's clock_timestamp(), since now() stands still in a
transaction.

A claim does not wait for the disk. If the server crashes within the next half second, its rows are
due again and their tokens are gone, so nothing that was begun is written, as after a lapsed lease.
Enqueueing and writing outcomes do wait.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models.base import ModelState

from jobs.models import Job
from jobs.queue import notify

LEASE = timedelta(seconds=15)

# The columns that a worker needs; Django reads the others when they are accessed. The due time
# comes as seconds: parsing timestamps takes longer than anything else here.
_NAMES = (
    *("id", "public_id", "project_id", "type", "subject", "payload", "status", "priority"),
    *("attempts", "max_attempts", "error", "dedupe_key", "lease_token", "request_id"),
    *("is_suspect", "fair_key", "due"),
)
_PAYLOAD = _NAMES.index("payload")
_EMPTY = "{}"
COLUMNS = ", ".join(f"j.{name}" for name in _NAMES[:-1]) + ", extract(epoch FROM j.run_at)::float8"

_START = f"""
UPDATE jobs_job j SET
    lease_expires_at = clock_timestamp() + make_interval(secs => %s), attempts = attempts + 1,
    processed_at = clock_timestamp()
WHERE id = %s AND lease_token = %s AND status = 'processing'
RETURNING {COLUMNS}
"""  # noqa: S608 - constants


def start(job: Job) -> Job | None:
    """Begin work on a row that was only leased: renew the lease, count the attempt.

    Returns None if the lease is lost: a leased row has no heartbeat while it waits.
    """
    with connection.cursor() as cursor:
        cursor.execute(_START, [LEASE.total_seconds(), job.pk, job.lease_token])
        return next(iter(jobs_of(cursor.fetchall())), None)


def jobs_of(rows: Iterable[Sequence[Any]]) -> list[Job]:
    """Jobs from rows that begin with COLUMNS, the most urgent first: RETURNING has no order.

    Does the same as ``Job.from_db`` without the signals and the loop over all fields, which take
    longer than the claim itself.
    """
    jobs = []
    for row in rows:
        job = Job.__new__(Job)
        job.__dict__ = dict(zip(_NAMES, row))  # noqa: B905 - what follows is the claim's own
        job.payload = {} if row[_PAYLOAD] == _EMPTY else json.loads(row[_PAYLOAD])
        job._state = ModelState()
        job._state.db, job._state.adding = DEFAULT_DB_ALIAS, False
        jobs.append(job)
    return sorted(jobs, key=lambda job: (-job.priority, job.due, job.id))


def _arrays(leases: Iterable[tuple[int, int | None]]) -> list[str]:
    """Ids and tokens as two arrays for unnest."""
    pairs = list(leases)
    return [bigints(job_id for job_id, _ in pairs), bigints(token for _, token in pairs)]


def bigints(numbers: Iterable[int | None]) -> str:
    """A Postgres array as text: the driver writes long lists element by element."""
    return f"{{{','.join(map(str, numbers))}}}"


def release(job: Job, after: timedelta | None = None) -> None:
    """Return a leased row that was not started. No attempt is counted; without ``after`` it keeps
    its due time.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE jobs_job SET
                status = 'pending', lease_token = NULL, lease_expires_at = NULL,
                run_at = coalesce(clock_timestamp() + make_interval(secs => %s), run_at)
            WHERE id = %s AND lease_token = %s AND status = 'processing'
            """,
            [after.total_seconds() if after else None, job.pk, job.lease_token],
        )
    notify()


def expire(workers: Sequence[str]) -> int:
    """Let the leases of these workers lapse now; returns how many. Only for dead processes: a
    living one would go on with rows that other workers take over.

    Rows with more than one attempt are left to lapse by themselves: a job that kills its process
    must not do so once a second.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE jobs_job SET lease_expires_at = clock_timestamp() WHERE id = ANY(ARRAY(
                SELECT id FROM jobs_job
                WHERE status = 'processing' AND worker = ANY(%s)
                  AND attempts <= 1 AND lease_expires_at > clock_timestamp()
                ORDER BY id FOR UPDATE SKIP LOCKED
            ))
            """,
            [list(workers)],
        )
        expired: int = cursor.rowcount
    if expired:
        notify()
    return expired


def renew(leases: Mapping[int, int | None]) -> set[int]:
    """Extend the leases; return the ids that were extended. Called by the heartbeat.

    Locked rows are skipped: their outcome is being written at this moment, and waiting for them
    could deadlock with that transaction.
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
            [LEASE.total_seconds(), *_arrays(leases.items())],
        )
        return {row[0] for row in cursor.fetchall()}


def lock_owned(jobs: Iterable[Job]) -> set[int]:
    """Lock the job rows that still carry our token and return their ids. Needs a transaction.

    Every write on behalf of a job begins here: a worker whose lease was taken over gets no row.
    Rows are always locked in the order of their ids, so that two workers cannot deadlock.
    """
    tokens = {job.id: job.lease_token for job in jobs}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM jobs_job j JOIN unnest(%s::bigint[], %s::bigint[]) AS mine(id, token)
            USING (id) WHERE j.lease_token = mine.token AND j.status = 'processing'
            ORDER BY id FOR NO KEY UPDATE OF j
            """,
            _arrays(tokens.items()),
        )
        return {row[0] for row in cursor.fetchall()}
