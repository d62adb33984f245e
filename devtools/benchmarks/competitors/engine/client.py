"""Client of the engine's queue, as the service uses it."""

from __future__ import annotations

from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from devtools.benchmarks.competitors import effects  # noqa: E402
from jobs import queue  # noqa: E402

_FILL = """
INSERT INTO jobs_job (public_id, type, subject, payload, run_at, error, errors, worker, request_id)
SELECT 'job_' || gen_random_uuid(), %s, '', jsonb_build_object('n', n), clock_timestamp(),
       '', '[]', '', ''
FROM generate_series(0, %s - 1) AS n
"""


class EngineClient:
    """See Client."""

    def prepare(self) -> None:
        call_command("migrate", verbosity=0)
        execute(effects.TABLE)

    def clear(self) -> None:
        execute("TRUNCATE jobs_job")
        execute(effects.EMPTY)

    def fill(self, task: str, count: int) -> None:
        with transaction.atomic():
            execute(_FILL, [task, count])
            queue.notify()
        vacuum_tables("jobs_job")

    def enqueue(self, task: str, number: int) -> None:
        with transaction.atomic():
            queue.enqueue(task, payload={"n": number})

    def enqueue_many(self, task: str, count: int) -> None:
        with transaction.atomic():
            for number in range(count):
                queue.enqueue(task, payload={"n": number})

    def is_drained(self, task: str) -> bool:
        # Two subqueries, so that each uses its partial index.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT NOT EXISTS (SELECT 1 FROM jobs_job WHERE status = 'pending' AND type = %s)"
                " AND NOT EXISTS (SELECT 1 FROM jobs_job WHERE status = 'processing'"
                " AND type = %s)",
                [task, task],
            )
            return bool(cursor.fetchone()[0])


def execute(statement: str, parameters: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def vacuum_tables(*tables: str) -> None:
    """Analyse the tables and write them to disk, as after some time of operation."""
    for table in tables:
        execute(f"VACUUM ANALYZE {table}")
    execute("CHECKPOINT")
