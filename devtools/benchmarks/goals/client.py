"""The engine's client with additional methods for the engine's own targets."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

from devtools.benchmarks.competitors import effects
from devtools.benchmarks.competitors.engine.client import EngineClient, execute, vacuum_tables
from jobs import queue

_FILL = """
INSERT INTO jobs_job (public_id, type, subject, payload, run_at, error, errors, worker, request_id)
SELECT 'job_' || gen_random_uuid(), %(task)s, '',
    jsonb_build_object('n', n, 'hang', %(hang_every)s > 0 AND n %% greatest(%(hang_every)s, 1) = 0),
    clock_timestamp(), '', '[]', '', ''
FROM generate_series(0, %(count)s - 1) AS n
"""


class GoalsClient(EngineClient):
    """See Client; ``driver`` calls the additional methods by name."""

    def fill_calls(self, task: str, count: int, hang_every: int) -> None:
        """Every ``hang_every``-th item hangs; 0: none."""
        with transaction.atomic():
            execute(_FILL, {"task": task, "count": count, "hang_every": hang_every})
            queue.notify()
        vacuum_tables("jobs_job")

    def refused(self) -> int | None:
        """Number of stale writes refused since the database was created, if it is counted."""
        found = _rows("SELECT value FROM jobs_counter WHERE name = 'stale_writes_refused'")
        return found[0][0] if found else None

    def fingerprint(self, task: str) -> list[list[str]]:
        """All columns that a stale write could change, as text."""
        return [
            [str(value) for value in row]
            for row in _rows(
                "SELECT id, status, attempts, completed_at, lease_token FROM jobs_job"
                " WHERE type = %s ORDER BY id",
                [task],
            )
        ]

    def count_effects(self) -> int:
        return int(_rows("SELECT count(*) FROM bench_effect")[0][0])

    def forget_effects(self) -> None:
        execute(effects.EMPTY)


def _rows(query: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
