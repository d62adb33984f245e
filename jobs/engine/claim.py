"""The claim of a worker process (``claim.sql``), and the state that is kept between claims.

The claims of all processes run one after the other, by an advisory lock of the transaction. The
server frees it at the end of the statement, even if the client is stopped in the middle. So a
type's cap is exact, and no process chooses rows that another one is about to take.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from jobs.engine import leasing, slow_keys
from jobs.handler import JobType, all_types
from jobs.models import Job, JobPriority

# Key of the advisory lock of claims; an arbitrary number that nothing else here uses.
TURN = 7_021_903_117
# Most rows of dead workers in one claim: each of them is run alone, while the others wait.
MOST_LAPSED = 20
# Every eighth claim gives a quarter of the room to the rows that waited longest, of any priority.
FAIR_EACH = 8
FAIR_SHARE = 0.25
# Seconds between claims that ignore the low-water marks.
FULL_SCAN_SECONDS = 1.0
# A mark is this far before the last row taken: rows with earlier due times may commit later.
LATE_COMMIT_SECONDS = 0.1
# Of a fair type so many times its room are read, to choose among keys.
WINDOW = 2
# If they fill that window, so many keys are looked for besides, and so many rows of each.
WALKED_KEYS = 64
WALKED_ROWS = 4
# So many keys only, if the window has at least so many projects.
WALKED_BESIDE_MANY = 16
# All slow keys together hold at most this part of a type's cap: a fourth.
SLOW_PART = 4
_PRIORITIES = sorted(JobPriority.values)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The result of one claim.

    batches: each of one type, the most urgent first; then each suspect in a batch of its own.
    Suspects (``Job.is_suspect``) are only leased; for all other rows the attempt is counted.
    lapsed: number of rows that came from dead workers. full: types of which another claim would get
    more. is_cut: more rows may be due, but a batch or a cap is full.
    """

    batches: Sequence[Sequence[Job]] = ()
    lapsed: int = 0
    full: Sequence[JobType] = ()
    is_cut: bool = False

    @property
    def jobs(self) -> list[Job]:
        return [job for batch in self.batches for job in batch]


_NAME = "novitai_claim"
_PREPARE = (
    f"PREPARE {_NAME}"
    " (text[], int[], int[], float8[], float8, int, interval, text, bool[], text[]) AS\n"
    + Path(__file__)
    .with_name("claim.sql")
    .read_text()
    .format(
        columns=leasing.COLUMNS,
        slow_part=SLOW_PART,
        slow_seconds=slow_keys.SLOW_SECONDS,
        window=WINDOW,
        steps=WALKED_KEYS,
        few=WALKED_BESIDE_MANY,
        each=WALKED_ROWS,
    )
)
# Without waiting for the disk (see leasing). Without sequential scans, since the plan may be from
# when the table was empty. Without bitmap scans: for few rows on many pages they look cheap, but
# they read a range to its end, dead entries included, and mark none of these as dead.
_EXECUTE = f"""
SELECT pg_advisory_xact_lock(%(turn)s), set_config('synchronous_commit', 'off', true),
    set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true);
EXECUTE {_NAME} (%(types)s, %(batches)s, %(caps)s, %(marks)s::float8[], %(fair_share)s,
    %(most_lapsed)s, %(lease)s, %(worker)s, %(fair)s, %(after)s)
"""


class Claimer:
    """Claims for one process, under its name. Not thread-safe."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._claims = 0
        self._marks = _LowWaterMarks()
        self._prepared: object = None
        # Of each fair type, the key at which the last walk ended.
        self._walked: dict[str, str] = {}

    def claim(self, types: Sequence[JobType] | None = None) -> Claimed:
        """A batch of each type that has due rows and room, and the rows of dead workers."""
        chosen = all_types() if types is None else types
        rows = self._execute(chosen)
        if rows[0][0] is None and self._marks.forget(chosen):
            rows = self._execute(chosen)
        walks: dict[str, str] = json.loads(rows[0][-1] or "{}")
        self._walked |= walks
        rows = [row[:-1] for row in rows if row[0] is not None]
        jobs = leasing.jobs_of(rows)
        # Lapsed rows do not count: due rows may lie before them in their range.
        unfair = {str(each.name) for each in chosen if not each.is_fair}
        self._marks.remember(job for job in jobs if not job.is_suspect and job.type in unfair)
        made, lapsed = _batches(jobs), sum(row[-2] for row in rows)
        full = [each for each in chosen if _is_full(made, each)]
        if lapsed == MOST_LAPSED:
            full = list(chosen)
        is_cut = bool(full or walks) or any(row[-1] for row in rows)
        return Claimed(made, lapsed, full, is_cut=is_cut)

    def _execute(self, types: Sequence[JobType]) -> list[Any]:
        self._claims += 1
        parameters: dict[str, Any] = {
            "turn": TURN,
            "types": [str(job_type.name) for job_type in types],
            "batches": [job_type.batch_size for job_type in types],
            "caps": [job_type.max_in_flight for job_type in types],
            "marks": self._marks.of(types),
            "fair_share": FAIR_SHARE if self._claims % FAIR_EACH == 0 else 0,
            "most_lapsed": MOST_LAPSED,
            "lease": leasing.LEASE,
            "worker": self._worker,
            "fair": [job_type.is_fair for job_type in types],
            "after": [self._walked.get(str(job_type.name), "") for job_type in types],
        }
        with connection.cursor() as cursor:
            self._prepare(cursor)
            cursor.execute(_EXECUTE, parameters)
            cursor.nextset()
            return list(cursor.fetchall())

    def _prepare(self, cursor: CursorWrapper) -> None:
        """Once for each connection: planning takes a third of the time of a claim."""
        if self._prepared is not connection.connection:
            cursor.execute("SELECT FROM pg_prepared_statements WHERE name = %s", [_NAME])
            if cursor.fetchone() is None:  # An earlier Claimer may have prepared it.
                cursor.execute(_PREPARE)
            self._prepared = connection.connection


def _batches(jobs: Iterable[Job]) -> list[list[Job]]:
    """Suspects last: one that must be alone in the process waits until the others have ended."""
    by_type: dict[str, list[Job]] = {}
    suspects: list[list[Job]] = []
    for job in jobs:
        if job.is_suspect:
            suspects.append([job])
        else:
            by_type.setdefault(job.type, []).append(job)
    return [*by_type.values(), *suspects]


def _is_full(made: Iterable[Sequence[Job]], job_type: JobType) -> bool:
    """Suspects do not count: their batches have one row, whatever is left of their type."""
    batches = (batch for batch in made if batch[0].type == job_type.name)
    return any(len(each) >= job_type.batch_size and not each[0].is_suspect for each in batches)


class _LowWaterMarks:
    """The due time from which a claim searches each type and priority, by the rows taken so far.

    The index entries of taken rows stay at the head of their range until a vacuum, which a long
    transaction delays until its end: a mark skips them. A row that became due before the mark
    (released, or committed very late) is found by the next claim without marks: once a second, or
    when a claim finds nothing.
    """

    def __init__(self) -> None:
        self._marks: dict[tuple[str, int], float] = {}
        self._forgotten_at = 0.0

    def of(self, types: Sequence[JobType]) -> list[float | None]:
        now = time.monotonic()
        if now - self._forgotten_at > FULL_SCAN_SECONDS:
            self._forgotten_at = now
            self._marks.clear()
        return [self._marks.get((str(each.name), p)) for each in types for p in _PRIORITIES]

    def forget(self, types: Sequence[JobType]) -> bool:
        """Drop the marks of these types. True if there were any: a new claim may find more."""
        names = {str(job_type.name) for job_type in types}
        kept = {place: mark for place, mark in self._marks.items() if place[0] not in names}
        is_changed = len(kept) < len(self._marks)
        self._marks = kept
        return is_changed

    def remember(self, taken: Iterable[Job]) -> None:
        for job in taken:
            place = (job.type, job.priority)
            mark = job.due - LATE_COMMIT_SECONDS
            self._marks[place] = max(mark, self._marks.get(place, mark))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the broker waits for.

    at: when this was read, in the database's time, seconds since 1970. seconds: time until the next
    row becomes due or the next lease lapses; None if there is neither. is_at_cap: some type has
    reached its cap, so due rows may wait until one of its rows ends.
    """

    at: float
    seconds: float | None
    is_at_cap: bool


_OUTLOOK = """
WITH moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now, coalesce(to_timestamp(%(since)s), clock_timestamp()) AS since
), open AS MATERIALIZED (
    SELECT t.type, t.cap FROM unnest(%(types)s::text[], %(caps)s::int[]) AS t(type, cap)
    WHERE NOT EXISTS (SELECT FROM jobs_pausedtype p WHERE p.type = t.type)
), busy AS MATERIALIZED (
    SELECT count(*) >= min(open.cap) AS is_at_cap, min(j.lease_expires_at)
        FILTER (WHERE j.lease_expires_at > (SELECT since FROM moment)) AS lapses_at
    FROM jobs_job j JOIN open USING (type) WHERE j.status = 'processing' GROUP BY type
), due AS MATERIALIZED (
    SELECT min(soonest.run_at) AS due_at
    FROM open CROSS JOIN generate_series(1, 4) AS range(priority), LATERAL (
        SELECT run_at FROM jobs_job j
        WHERE j.status = 'pending' AND j.type = open.type AND j.priority = range.priority
          AND j.run_at > (SELECT since FROM moment)
        ORDER BY j.run_at LIMIT 1
    ) soonest
)
SELECT extract(epoch FROM now)::float8,
    extract(epoch FROM least(due_at, (SELECT min(lapses_at) FROM busy)) - now)::float8,
    coalesce((SELECT bool_or(is_at_cap) FROM busy), false)
FROM moment, due
"""


def look_ahead(since: float | None = None) -> Outlook:
    """The next due time or lapse after ``since`` (default: now); it may have passed already.

    With the ``at`` of the previous call as ``since``, no row becomes due unseen between two calls.
    """
    types = all_types()
    parameters: dict[str, Any] = {
        "types": [str(job_type.name) for job_type in types],
        "caps": [job_type.max_in_flight for job_type in types],
        "since": since,
    }
    with connection.cursor() as cursor:
        cursor.execute(_OUTLOOK, parameters)
        return Outlook(*cursor.fetchone())
