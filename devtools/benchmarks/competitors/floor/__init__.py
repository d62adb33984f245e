"""Bare psycopg: claim with SKIP LOCKED, mark as done, commit; as many clients as workers.

Twice: on the smallest table that can be a queue, and on the service's own table, with its indexes
and checks. So the cost of the schema and that of the code can be compared.
"""

from devtools.benchmarks.competitors.base import BATCHED, COMMIT, NOOP, WORKERS, Competitor, python
from devtools.benchmarks.competitors.engine import ENV as ENGINE_ENV

FLOOR = Competitor(
    name="floor",
    title="floor: bare psycopg",
    client="devtools.benchmarks.competitors.floor.client:FloorClient",
    commands=[python("-m", "devtools.benchmarks.competitors.floor.worker", "plain")] * WORKERS,
    drains={NOOP: 6_000, BATCHED: 60_000, COMMIT: 8_000},
    settings=[
        f"{WORKERS} processes with one connection each; a table of five columns, one partial index",
        "two transactions a batch: claim, done; no lease, no token, no retry, no history",
        "batch 1, batch 200, and batch 200 with a commit of its own for every job",
    ],
)

FLOOR_OWN = Competitor(
    name="floor_own",
    title="floor on the service's table",
    client="devtools.benchmarks.competitors.floor.own_client:OwnTableClient",
    commands=[python("-m", "devtools.benchmarks.competitors.floor.worker", "own")] * WORKERS,
    drains={NOOP: 6_000, BATCHED: 60_000},
    settings=["the floor's two transactions on jobs_job, with its columns, indexes and checks"],
    env=ENGINE_ENV,
    can_enqueue=False,
    can_mark=False,
)
