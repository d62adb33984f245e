"""Client of Procrastinate's queue."""

from typing import Any

import psycopg

from devtools.benchmarks.competitors import effects, site
from devtools.benchmarks.competitors.procrastinate.app import app

_CLEAR = "TRUNCATE procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers"


class ProcrastinateClient:
    """See Client."""

    def __init__(self) -> None:
        app.open()
        self._connection = psycopg.connect(site.database(), autocommit=True)

    def prepare(self) -> None:
        app.schema_manager.apply_schema()
        self._connection.execute(effects.TABLE)

    def clear(self) -> None:
        self._connection.execute(_CLEAR)
        self._connection.execute(effects.EMPTY)

    def fill(self, task: str, count: int) -> None:
        self.enqueue_many(task, count)
        self._connection.execute("VACUUM ANALYZE procrastinate_jobs")
        self._connection.execute("CHECKPOINT")

    def enqueue(self, task: str, number: int) -> None:
        app.tasks[task].defer(n=number)

    def enqueue_many(self, task: str, count: int) -> None:
        payloads: list[dict[str, Any]] = [{"n": number} for number in range(count)]
        app.tasks[task].batch_defer(*payloads)

    def is_drained(self, task: str) -> bool:
        row = self._connection.execute(
            "SELECT 1 FROM procrastinate_jobs"
            " WHERE task_name = %s AND status IN ('todo', 'doing') LIMIT 1",
            [task],
        ).fetchone()
        return row is None
