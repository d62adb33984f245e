"""How the queue stands: what waits, what runs, who works, how fast.

Nothing is counted that only grows: live rows through their partial indexes, failed ones as far as a
person would look, ended ones from the newest of ``job_finished``. Times are statement_timestamp():
an index can be searched by it, by clock_timestamp() it cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from jobs import counters
from jobs.models import ENDED, Counter, JobStatus, Worker

# A heartbeat every 5 s: whoever missed three of them is not there.
WORKER_SILENCE = timedelta(seconds=20)
WORKERS_SHOWN = 200
# As far as rows are counted one by one: a project's, for whoever asks; failed ones, which wait for
# a person and not for a worker, less far.
LIVE_CAP = 100_000
FAILED_CAP = 1_000
# Ended rows that are looked at, of each ending the newest.
ENDED_CAP = 2_000
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Count:
    """Rows of one type in one state; ``oldest_due_at`` is of those that wait although due."""

    type: str
    status: str
    rows: int
    oldest_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ended:
    """How many rows ended in one way, over a window of time that lasts until now.

    The window is shorter than what was asked for where more ended in it than are looked at.
    """

    status: str
    asked: timedelta
    window: timedelta
    rows: int

    @property
    def per_minute(self) -> float:
        return self.rows / (self.window / MINUTE)


_COUNTS = """
SELECT type, status, count(*), min(run_at) FILTER (WHERE run_at <= statement_timestamp())
FROM ({rows}) row_ GROUP BY type, status ORDER BY type, status
"""
# Each arm has an index of its own, all of them together have none. Only what is pending is due.
_OF_ALL = """
SELECT type, status, run_at FROM jobs_job WHERE status = 'pending'
UNION ALL SELECT type, status, NULL FROM jobs_job WHERE status = 'processing'
UNION ALL (SELECT type, status, NULL FROM jobs_job WHERE status = 'failed'
           ORDER BY id DESC LIMIT %(live_cap)s)
"""
# Oldest first, so that beyond the cap the age of the oldest still holds.
_OF_PROJECT = """
(SELECT type, status, run_at FROM jobs_job
 WHERE project_id = %(project)s AND status = 'pending' ORDER BY id LIMIT %(live_cap)s)
UNION ALL (SELECT type, status, NULL FROM jobs_job
           WHERE project_id = %(project)s AND status = 'processing' LIMIT %(live_cap)s)
UNION ALL (SELECT type, status, NULL FROM jobs_job
           WHERE project_id = %(project)s AND status = 'failed'
           ORDER BY id DESC LIMIT %(failed_cap)s)
"""


def count(project_id: int | None = None, *, live_cap: int = LIVE_CAP) -> list[Count]:
    """Pending, processing and failed rows by type, of everybody or of a project, up to the caps.

    Everybody's live rows are counted without a cap, from the index alone.
    """
    rows = _OF_ALL if project_id is None else _OF_PROJECT
    caps = {"project": project_id, "live_cap": live_cap, "failed_cap": FAILED_CAP}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS.format(rows=rows), caps)
        return [Count(*row) for row in cursor.fetchall()]


def count_in_flight() -> dict[str, int]:
    """Rows being worked on, by type: everybody's, since they share the type's cap."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT type, count(*) FROM jobs_job WHERE status = 'processing' GROUP BY type"
        )
        return dict(cursor.fetchall())


# One pass over at most 3 x cap rows; each window adds a counter to it.
_ENDED = """
SELECT ending.status, newest.* FROM unnest(%(endings)s::text[]) AS ending(status), LATERAL (
    SELECT CASE WHEN count(*) = %(cap)s THEN statement_timestamp() - min(completed_at) END,
           {counts}
    FROM (
        SELECT completed_at, project_id FROM jobs_job
        WHERE status = ending.status AND completed_at > statement_timestamp() - %(longest)s
        ORDER BY completed_at DESC LIMIT %(cap)s
    ) row_
) newest
"""
_WITHIN = """count(*) FILTER (
    WHERE completed_at > statement_timestamp() - %(window_{index})s
    AND (%(project)s::bigint IS NULL OR project_id = %(project)s)
)"""


def ended(windows: Sequence[timedelta], project_id: int | None = None) -> list[Ended]:
    """What ended in each of the windows, by how it ended.

    Of a project: its part of what is looked at of everybody's.
    """
    counts = ", ".join(_WITHIN.format(index=index) for index in range(len(windows)))
    parameters: dict[str, Any] = {
        "endings": [str(status) for status in ENDED],
        "longest": max(windows),
        "cap": ENDED_CAP,
        "project": project_id,
        **{f"window_{index}": window for index, window in enumerate(windows)},
    }
    with connection.cursor() as cursor:
        cursor.execute(_ENDED.format(counts=counts), parameters)
        return [
            Ended(status, asked, _window(asked, reach), rows)
            for status, reach, *counted in cursor.fetchall()
            for asked, rows in zip(windows, counted, strict=True)
        ]


def _window(asked: timedelta, reach: timedelta | None) -> timedelta:
    """As far as the rows reach that were looked at, if they are not all."""
    return asked if reach is None else min(asked, max(reach, timedelta(milliseconds=1)))


def ended_per_minute() -> float:
    """Over the last minute, all projects together."""
    return sum(ending.per_minute for ending in ended([MINUTE]))


def workers(now: datetime) -> list[tuple[Worker, bool]]:
    """Processes that told of themselves lately, and whether they are still there."""
    rows = Worker.objects.order_by("-last_seen_at")[:WORKERS_SHOWN]
    return [(row, is_alive(row, now)) for row in rows]


def is_alive(worker: Worker, now: datetime) -> bool:
    return now - worker.last_seen_at < WORKER_SILENCE


def counted() -> dict[str, int]:
    """Every counter of the worker processes, also those that nothing has added to."""
    values = dict.fromkeys(counters.NAMES, 0)
    return values | dict(Counter.objects.order_by().values_list("name", "value"))


def statuses(counts: Sequence[Count]) -> dict[str, int]:
    """The rows of all types together, by status."""
    sums = dict.fromkeys((JobStatus.PENDING, JobStatus.PROCESSING, JobStatus.FAILED), 0)
    for item in counts:
        sums[JobStatus(item.status)] += item.rows
    return {str(status): rows for status, rows in sums.items()}
