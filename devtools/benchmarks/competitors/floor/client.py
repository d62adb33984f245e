"""Client of the smallest possible queues: one table for each kind of job, all alike."""

import psycopg
from psycopg.types.json import Jsonb

from devtools.benchmarks.competitors import effects, site
from devtools.benchmarks.competitors.base import BATCHED, COMMIT, MARK, NOOP

CHANNEL = "bench_floor"
TASKS = (NOOP, BATCHED, COMMIT, MARK)

_TABLE = """
CREATE TABLE floor_{task} (
    id bigserial PRIMARY KEY,
    status text NOT NULL DEFAULT 'pending',
    priority smallint NOT NULL DEFAULT 2,
    run_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    payload jsonb NOT NULL
);
CREATE INDEX ON floor_{task} (priority DESC, run_at) WHERE status = 'pending';
"""


class FloorClient:
    """See Client."""

    def __init__(self) -> None:
        self._connection = psycopg.connect(site.database(), autocommit=True)

    def prepare(self) -> None:
        self._run(effects.TABLE)
        for task in TASKS:
            self._run(_TABLE.format(task=task))

    def clear(self) -> None:
        self._run(effects.EMPTY)
        for task in TASKS:
            self._run(f"TRUNCATE floor_{task}")

    def fill(self, task: str, count: int) -> None:
        self._run(
            f"INSERT INTO floor_{task} (payload) SELECT jsonb_build_object('n', n)"
            f" FROM generate_series(0, {int(count)} - 1) AS n"
        )
        self._run(f"VACUUM ANALYZE floor_{task}")
        self._run("CHECKPOINT")
        self._run(f"NOTIFY {CHANNEL}")

    def enqueue(self, task: str, number: int) -> None:
        with self._connection.transaction():
            self._connection.execute(
                f"INSERT INTO floor_{task} (payload) VALUES (%s)", [Jsonb({"n": number})]
            )
            self._run(f"NOTIFY {CHANNEL}")

    def enqueue_many(self, task: str, count: int) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with cursor.copy(f"COPY floor_{task} (payload) FROM STDIN") as copy:
                for number in range(count):
                    copy.write_row([Jsonb({"n": number})])
            self._run(f"NOTIFY {CHANNEL}")

    def is_drained(self, task: str) -> bool:
        look = f"SELECT 1 FROM floor_{task} WHERE status <> 'done' LIMIT 1"
        pending = look.replace("<> 'done'", "= 'pending'")
        # The second query reads the whole table: only if the first finds nothing.
        return self._finds_nothing(pending) and self._finds_nothing(look)

    def _finds_nothing(self, query: str) -> bool:
        return self._connection.execute(query.encode()).fetchone() is None

    def _run(self, statement: str) -> None:
        self._connection.execute(statement.encode())
