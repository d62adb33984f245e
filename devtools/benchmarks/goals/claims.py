"""The time of a claim of 100 rows in a big table: a program that answers one request.

``python -m devtools.benchmarks.goals.claims`` with the engine's environment: a Plan as JSON on
its input, milliseconds by scenario on its output.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import django

django.setup()

import psycopg  # noqa: E402

from devtools.benchmarks.competitors import site  # noqa: E402
from devtools.benchmarks.competitors.base import BATCHED, COMMIT, HANG  # noqa: E402
from devtools.benchmarks.competitors.engine.client import execute, vacuum_tables  # noqa: E402
from devtools.benchmarks.competitors.engine.handlers import ONCE  # noqa: E402
from jobs.engine.claim import Claimer  # noqa: E402
from jobs.handler import get_type  # noqa: E402
from jobs.models import JobPriority  # noqa: E402

TYPES = [BATCHED, COMMIT, ONCE]
# Rows of each type; a claim takes a batch of every type.
BATCHES = [34, 33, 33]
ROWS = sum(BATCHES)
PAUSED = HANG
# Of ten rows: one low, eight normal, one high.
MIXED = [JobPriority.LOW, *[JobPriority.NORMAL] * 8, JobPriority.HIGH]

_ROWS = """
INSERT INTO jobs_job (public_id, type, subject, payload, priority, run_at, status, completed_at,
    error, errors, worker, request_id)
SELECT 'job_' || gen_random_uuid(), (%(types)s::text[])[1 + n %% %(type_count)s], '', '{}',
    (%(priorities)s::int[])[1 + n %% %(priority_count)s],
    clock_timestamp() + %(offset)s::interval + n * interval '1 ms', %(status)s,
    CASE WHEN %(status)s = 'completed' THEN clock_timestamp() END, '', '[]', '', ''
FROM generate_series(1, %(count)s) AS n
"""
_FORGET_DUE = """
DELETE FROM jobs_job WHERE status = 'processing'
    OR (status = 'pending' AND run_at < clock_timestamp() + interval '1 hour')
"""
_COMPLETE = """
UPDATE jobs_job SET status = 'completed', completed_at = clock_timestamp(), lease_token = NULL,
    lease_expires_at = NULL WHERE status = 'processing'
"""


def main() -> None:
    """All scenarios on one table, each with new due rows."""
    plan = json.load(sys.stdin)
    # Filling in bulk takes longer than the service allows for a statement.
    execute("SET statement_timeout = 0")
    execute("TRUNCATE jobs_job")
    _add(plan["claim_finished"], status="completed", offset="-1 day")
    _add(plan["claim_future"], offset="1 day")
    found = {
        "plain": _scenario(plan, MIXED),
        "low": _scenario(plan, [JobPriority.LOW]),
        "paused": _beside_a_paused_type(plan),
        "xmin": _under_an_old_snapshot(plan),
    }
    sys.stdout.write(json.dumps(found) + "\n")


def _scenario(plan: dict[str, int], priorities: list[JobPriority]) -> list[float]:
    _make_due(plan["claim_due"], priorities)
    return _claim(plan["claims"])


def _beside_a_paused_type(plan: dict[str, int]) -> list[float]:
    """Without the pause, its rows would be claimed first."""
    execute(
        "INSERT INTO jobs_pausedtype (type, paused_by, reason) VALUES (%s, 'bench', '')", [PAUSED]
    )
    execute(_FORGET_DUE)
    _add(plan["claim_paused"], types=[PAUSED], priorities=[JobPriority.CRITICAL], offset="-1 hour")
    _add(plan["claim_due"], priorities=MIXED, offset="-30 min")
    vacuum_tables("jobs_job")
    found = _claim(plan["claims"])
    execute("DELETE FROM jobs_pausedtype")
    return found


def _under_an_old_snapshot(plan: dict[str, int]) -> list[float]:
    _make_due(max(plan["claim_due"], (plan["claims_under_xmin"] + 1) * ROWS), MIXED)
    with _old_snapshot():
        return _claim(plan["claims_under_xmin"])


@contextlib.contextmanager
def _old_snapshot() -> Iterator[None]:
    """A transaction with an old snapshot, so that no dead row can be removed."""
    with psycopg.connect(site.database()) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM jobs_worker")
        yield
        connection.rollback()


def _make_due(count: int, priorities: list[JobPriority]) -> None:
    execute(_FORGET_DUE)
    _add(count, priorities=priorities, offset="-1 hour")
    vacuum_tables("jobs_job")


def _claim(times: int) -> list[float]:
    """Milliseconds of each claim with its commit; the claimed rows are completed before the next.

    An empty list if rows of a paused type were claimed: then the measurement is not valid.
    """
    found = []
    claimer = Claimer("bench")
    types = [
        replace(get_type(name), batch_size=batch)
        for name, batch in zip(TYPES, BATCHES, strict=True)
    ]
    for _ in range(times):
        begun = time.perf_counter()
        jobs = claimer.claim([*types, get_type(PAUSED)]).jobs
        found.append((time.perf_counter() - begun) * 1000)
        if any(job.type == PAUSED for job in jobs):
            return []
        if len(jobs) != ROWS:
            raise SystemExit(f"a claim took {len(jobs)} rows instead of {ROWS}")
        execute(_COMPLETE)
    return found


def _add(
    count: int,
    *,
    status: str = "pending",
    offset: str,
    types: list[str] | None = None,
    priorities: list[JobPriority] | None = None,
) -> None:
    types, priorities = types or TYPES, priorities or MIXED
    parameters: dict[str, Any] = {
        "types": types,
        "type_count": len(types),
        "priorities": [int(priority) for priority in priorities],
        "priority_count": len(priorities),
        "offset": offset,
        "status": status,
        "count": count,
    }
    execute(_ROWS, parameters)


if __name__ == "__main__":
    main()
