"""The claim: how due rows, and rows whose worker died, are leased to a process.

One string, one round trip, two statements. The first takes a turn: claims of all clusters follow
one another (an advisory lock that the server frees with the statement's own transaction, even if
the client is stopped in the middle), so that a type's cap is exact and nobody chooses the rows
that another is about to take. The second chooses and leases:

    busy   the rows being worked on: they fill the caps, and among them are the lapsed ones
    open   the registered types that are not paused, and the room that their caps leave
    lane   a type's rows of one priority; each is one range of the index job_due
    due    the best of the lanes of each type, as many as there is room

Times are the database's clock_timestamp(): now() stands still in a transaction. As a scalar
subquery it is taken once; a bare volatile call could not bound the index scan, which would then
walk through every row that waits for later.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from jobs import registry
from jobs.engine import leasing
from jobs.engine.leasing import STARTED_COLUMNS, jobs_of
from jobs.models import Job, JobPriority
from jobs.registry import JobType

# The key of the claimers' turns among the database's advisory locks; any number of our own.
TURN = 7_021_903_117
# Rows of dead workers that one claim takes back.
MOST_LAPSED = 100
# Every so many claims, a quarter of the room goes to what has waited longest, of any priority.
FAIR_EACH = 8
FAIR_SHARE = 0.25
# How long a claimer trusts its memory of where the due rows of a lane begin.
FULL_LOOK_SECONDS = 1.0
_PRIORITIES = sorted(JobPriority.values)


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed row and the token under which it may be written.

    due: since when, in seconds since 1970. is_suspect: a worker died with it.
    is_lapsed: that is where it comes from now. attempts: those already begun, of max_attempts.
    """

    job_id: int
    token: int
    type: str
    priority: int
    due: float
    is_suspect: bool
    is_lapsed: bool
    attempts: int
    max_attempts: int

    @property
    def is_exhausted(self) -> bool:
        return self.attempts >= self.max_attempts

    @property
    def is_last_chance(self) -> bool:
        """Whether its worker's death would fail it now, be it the culprit or a bystander."""
        return self.is_suspect and self.attempts == self.max_attempts - 1


_CLAIM = """
PREPARE {name} (text[], int[], int[], float8[], float8, int, interval, text) AS
WITH busy AS MATERIALIZED (
    SELECT id, type, lease_expires_at FROM jobs_job WHERE status = 'processing'
), open AS MATERIALIZED (
    SELECT t.type, t.nth, greatest(least(t.batch, t.cap - coalesce(b.n, 0)), 0) AS room
    FROM unnest($1, $2, $3) WITH ORDINALITY AS t(type, batch, cap, nth)
    LEFT JOIN (SELECT type, count(*) AS n FROM busy GROUP BY type) b USING (type)
    WHERE NOT EXISTS (SELECT FROM jobs_pausedtype p WHERE p.type = t.type)
), due AS (
    SELECT id FROM (
        SELECT id, room, row_number() OVER (
            PARTITION BY type ORDER BY age_place > ceil(room * $5), priority DESC, run_at
        ) AS place
        FROM (
            SELECT row.id, row.run_at, open.type, open.room, lane.priority,
                row_number() OVER (PARTITION BY type ORDER BY run_at) AS age_place
            FROM open CROSS JOIN generate_series(4, 1, -1) AS lane(priority), LATERAL (
                SELECT id, run_at FROM jobs_job j
                WHERE j.status = 'pending' AND j.type = open.type AND j.priority = lane.priority
                  AND j.run_at
                      >= to_timestamp(coalesce($4[open.nth * 4 - 4 + lane.priority], '-infinity'))
                  AND j.run_at <= (SELECT clock_timestamp())
                ORDER BY j.run_at LIMIT open.room
            ) row
        ) ranked
    ) best
    WHERE place <= room
), lapsed AS (
    SELECT busy.id FROM busy JOIN open USING (type)
    WHERE lease_expires_at < clock_timestamp()
    ORDER BY lease_expires_at LIMIT $6
)
UPDATE jobs_job j SET
    status = 'processing',
    is_suspect = is_suspect OR status = 'processing',
    lease_token = (random() * 9007199254740991)::bigint,
    lease_expires_at = clock_timestamp() + $7,
    worker = $8{and_start}
WHERE id = ANY(ARRAY(
    -- Somebody may have renewed, cancelled or settled a row since it was chosen. CASE, since for
    -- OR the planner may read both partial indexes from end to end.
    SELECT id FROM jobs_job
    WHERE id = ANY(ARRAY(SELECT id FROM lapsed UNION ALL SELECT id FROM due))
      AND CASE status WHEN 'pending' THEN run_at <= clock_timestamp()
                      WHEN 'processing' THEN lease_expires_at < clock_timestamp() END
    ORDER BY id FOR UPDATE SKIP LOCKED
))
RETURNING {columns}
"""
_LEASE_COLUMNS = (
    "id, lease_token, type, priority, extract(epoch FROM run_at)::float8, is_suspect,"
    " id = ANY(ARRAY(SELECT id FROM lapsed)), attempts, max_attempts"
)
_START = ", attempts = attempts + 1, processed_at = clock_timestamp()"
# Planned once for each connection: planning takes a third of the time that a claim does.
_STATEMENTS = {
    "novitai_lease": _CLAIM.format(name="novitai_lease", and_start="", columns=_LEASE_COLUMNS),
    "novitai_start": _CLAIM.format(name="novitai_start", and_start=_START, columns=STARTED_COLUMNS),
}
# Without waiting for the disk (see leasing.start). Without sequential scans, since the plan may be
# from when the table was empty, and without bitmaps: for few rows on many pages they look cheap,
# but they read a lane to its end, dead entries included, and mark none of these as dead.
_EXECUTE = """
SELECT pg_advisory_xact_lock(%(turn)s), set_config('synchronous_commit', 'off', true),
    set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true);
EXECUTE {name} (%(types)s, %(batches)s, %(caps)s, %(marks)s::float8[], %(fair_share)s,
    %(most_lapsed)s, %(lease)s, %(worker)s)
"""


class Claimer:
    """What one process remembers between its claims. Not for several threads."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._claims = 0
        self._marks: dict[tuple[str, int], float] = {}
        self._looked_at = 0.0
        self._prepared: object = None

    def claim(self, types: Sequence[JobType] | None = None) -> list[Lease]:
        """Lease what is due and what has lapsed; the pusher's claim. Starts nothing."""
        chosen = registry.all_types() if types is None else types
        rows = self._execute("novitai_lease", chosen, MOST_LAPSED)
        if not rows and self._forget(chosen):
            rows = self._execute("novitai_lease", chosen, MOST_LAPSED)
        leases = [Lease(*row) for row in rows]
        # Lapsed rows lie anywhere in their lane, with due rows before them.
        fresh = [lease for lease in leases if not lease.is_suspect]
        self._remember((lease.type, lease.priority, lease.due) for lease in fresh)
        return leases

    def start(self, job_type: JobType) -> list[Job]:
        """Lease and start what is due of one type; the claim of a worker that helps itself."""
        jobs = jobs_of(self._execute("novitai_start", [job_type], 0))
        self._remember((job.type, job.priority, job.due) for job in jobs)
        return jobs

    def _execute(self, name: str, types: Sequence[JobType], most_lapsed: int) -> list[Any]:
        self._claims += 1
        names = [str(job_type.name) for job_type in types]
        parameters: dict[str, Any] = {
            "turn": TURN,
            "types": names,
            "batches": [job_type.batch_size for job_type in types],
            "caps": [job_type.max_in_flight for job_type in types],
            "marks": self._recall([(name, each) for name in names for each in _PRIORITIES]),
            "fair_share": FAIR_SHARE if self._claims % FAIR_EACH == 0 else 0,
            "most_lapsed": most_lapsed,
            "lease": leasing.LEASE,
            "worker": self._worker,
        }
        with connection.cursor() as cursor:
            self._prepare(cursor)
            cursor.execute(_EXECUTE.format(name=name), parameters)
            cursor.nextset()
            return list(cursor.fetchall())

    def _prepare(self, cursor: CursorWrapper) -> None:
        """Once for each connection; a claimer before this one may have done it."""
        if self._prepared is not connection.connection:
            cursor.execute("SELECT name FROM pg_prepared_statements")
            known = {name for (name,) in cursor.fetchall()}
            for name in _STATEMENTS.keys() - known:
                cursor.execute(_STATEMENTS[name])
            self._prepared = connection.connection

    def _recall(self, lanes: Sequence[tuple[str, int]]) -> list[float | None]:
        """Where the due rows of each lane begin, by what earlier claims took.

        The index entries of taken rows stay at the head of their lane until a vacuum, which a
        long transaction holds off for as long as it lasts: a mark skips them. What became due
        before the mark since (a row given back, a late commit) is found by the next full look,
        or when there is nothing else to do.
        """
        now = time.monotonic()
        if now - self._looked_at > FULL_LOOK_SECONDS:
            self._looked_at = now
            self._marks.clear()
        return [self._marks.get(lane) for lane in lanes]

    def _forget(self, types: Sequence[JobType]) -> bool:
        """Whether there was something to forget, so that another look may find more."""
        names = {job_type.name for job_type in types}
        lanes = [lane for lane in self._marks if lane[0] in names]
        for lane in lanes:
            del self._marks[lane]
        return bool(lanes)

    def _remember(self, taken: Iterable[tuple[str, int, float]]) -> None:
        for type_, priority, due in taken:
            lane = (type_, priority)
            self._marks[lane] = max(due, self._marks.get(lane, due))


_SECONDS_TO_NEXT = """
SELECT extract(epoch FROM min(soonest.run_at) - clock_timestamp())
FROM unnest(%(types)s::text[]) AS t(type) CROSS JOIN generate_series(1, 4) AS p(priority),
LATERAL (
    SELECT run_at FROM jobs_job
    WHERE status = 'pending' AND type = t.type AND priority = p.priority
      AND run_at > (SELECT clock_timestamp())
    ORDER BY run_at LIMIT 1
) soonest
WHERE NOT EXISTS (SELECT FROM jobs_pausedtype p WHERE p.type = t.type)
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
