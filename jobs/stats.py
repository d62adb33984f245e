"""Statistics of the queue: waiting and running jobs, workers, rates.

Queries are limited in size: live rows are read through partial indexes, failed ones up to
FAILED_CAP, ended ones from the newest of ``job_finished`` on. Times are statement_timestamp(),
which can be a condition of an index scan; clock_timestamp() cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from jobs import counters
from jobs.models import ENDED, Counter, JobStatus, Worker

# Heartbeats come every 5 s: a worker that missed three of them counts as lost.
WORKER_SILENCE = timedelta(seconds=20)
WORKERS_SHOWN = 200
# Most rows that are counted for a project. Failed rows have a lower cap: they wait for a person,
# not for a worker.
LIVE_CAP = 100_000
FAILED_CAP = 1_000
# Most ended rows that are read, the newest first, for each final status.
ENDED_CAP = 2_000
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Count:
    """Rows of one type and status. ``oldest_due_at``: run_at of the oldest due row that waits."""

    type: str
    status: str
    rows: int
    oldest_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ended:
    """Number of rows that ended with one status, in a window until now.

    ``window`` is shorter than ``asked`` if more rows ended than ENDED_CAP.
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
# Each part uses an index of its own; no index fits all. Only pending rows can be due.
_OF_ALL = """
SELECT type, status, run_at FROM jobs_job WHERE status = 'pending'
UNION ALL SELECT type, status, NULL FROM jobs_job WHERE status = 'processing'
UNION ALL (SELECT type, status, NULL FROM jobs_job WHERE status = 'failed'
           ORDER BY id DESC LIMIT %(live_cap)s)
"""
# Oldest first, so that the age of the oldest row is right even beyond the cap.
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
    """Pending, processing and failed rows by type, of all projects or of one, up to the caps.

    Live rows of all projects are counted without a cap, from the index alone.
    """
    rows = _OF_ALL if project_id is None else _OF_PROJECT
    caps = {"project": project_id, "live_cap": live_cap, "failed_cap": FAILED_CAP}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS.format(rows=rows), caps)
        return [Count(*row) for row in cursor.fetchall()]


def count_in_flight() -> dict[str, int]:
    """Processing rows of all projects by type, since all projects share the type's cap."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT type, count(*) FROM jobs_job WHERE status = 'processing' GROUP BY type"
        )
        return dict(cursor.fetchall())


# Reads at most 3 x cap rows once; each window adds a counter to that scan.
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
    """Rows that ended in each of the windows, by final status.

    With ``project_id``: those of the project among the rows read for all projects.
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
    """The window that the rows cover, if the cap left some out (``reach``)."""
    return asked if reach is None else min(asked, max(reach, timedelta(milliseconds=1)))


def ended_per_minute() -> float:
    """Of all projects, over the last minute."""
    return sum(ending.per_minute for ending in ended([MINUTE]))


def workers(now: datetime) -> list[tuple[Worker, bool]]:
    """Worker rows with the latest heartbeats first, each with True if the worker is alive."""
    rows = Worker.objects.order_by("-last_seen_at")[:WORKERS_SHOWN]
    return [(row, is_alive(row, now)) for row in rows]


def is_alive(worker: Worker, now: datetime) -> bool:
    return now - worker.last_seen_at < WORKER_SILENCE


def counted() -> dict[str, int]:
    """All counters of the worker processes; 0 for those that were never increased."""
    values = dict.fromkeys(counters.NAMES, 0)
    return values | dict(Counter.objects.order_by().values_list("name", "value"))


def statuses(counts: Sequence[Count]) -> dict[str, int]:
    """Number of rows of all types together, by status."""
    sums = dict.fromkeys((JobStatus.PENDING, JobStatus.PROCESSING, JobStatus.FAILED), 0)
    for item in counts:
        sums[JobStatus(item.status)] += item.rows
    return {str(status): rows for status, rows in sums.items()}
