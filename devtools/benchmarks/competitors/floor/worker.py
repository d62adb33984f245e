"""One worker of the floor: ``python -m devtools.benchmarks.competitors.floor.worker plain|own``."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from devtools.benchmarks.competitors import effects, site
from devtools.benchmarks.competitors.base import BATCH, BATCHED, COMMIT, MARK, NOOP
from devtools.benchmarks.competitors.floor.client import CHANNEL
from devtools.benchmarks.markers import put_marker

SIZES = {NOOP: 1, BATCHED: BATCH, COMMIT: BATCH, MARK: BATCH}

_CLAIM = """
UPDATE floor_{task} SET status = 'processing' WHERE id = ANY(ARRAY(
    SELECT id FROM floor_{task}
    WHERE status = 'pending' AND priority = 2 AND run_at <= clock_timestamp()
    ORDER BY run_at LIMIT %s FOR UPDATE SKIP LOCKED
)) RETURNING id, payload
"""
_DONE = "UPDATE floor_{task} SET status = 'done' WHERE id = ANY(%s)"

_CLAIM_OWN = """
UPDATE jobs_job SET status = 'processing', lease_token = 1,
    lease_expires_at = clock_timestamp() + interval '15 s' WHERE id = ANY(ARRAY(
    SELECT id FROM jobs_job
    WHERE status = 'pending' AND type = '{task}' AND priority = 2 AND run_at <= clock_timestamp()
    ORDER BY run_at LIMIT %s FOR UPDATE SKIP LOCKED
)) RETURNING id, payload
"""
_DONE_OWN = """
UPDATE jobs_job SET status = 'completed', completed_at = clock_timestamp(),
    lease_token = NULL, lease_expires_at = NULL WHERE id = ANY(%s)
"""
_STATEMENTS = {"plain": (_CLAIM, _DONE), "own": (_CLAIM_OWN, _DONE_OWN)}

Connection = psycopg.Connection[tuple[Any, ...]]


def main(table: str) -> None:
    """Drain the tables in turn, then wait for a NOTIFY; until killed."""
    claim, done = _STATEMENTS[table]
    tasks = SIZES if table == "plain" else (NOOP, BATCHED)
    connection = psycopg.connect(site.database(), autocommit=True)
    connection.execute(f"LISTEN {CHANNEL}".encode())
    while True:
        for task in tasks:
            _drain(connection, task, claim.format(task=task), done.format(task=task))
        for _ in connection.notifies(timeout=0.5, stop_after=1):
            pass


def _drain(connection: Connection, task: str, claim: str, done: str) -> None:
    while rows := connection.execute(claim.encode(), [SIZES[task]]).fetchall():
        if task in _WORK:
            _WORK[task](connection, rows)
        connection.execute(done.encode(), [[row[0] for row in rows]])


def _commit(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    for _, payload in rows:
        connection.execute(effects.INSERT, [payload["n"]])


def _mark(_: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    put_marker(payload["n"] for _, payload in rows)


_WORK: dict[str, Callable[[Connection, Sequence[tuple[Any, ...]]], None]] = {
    COMMIT: _commit,
    MARK: _mark,
}

if __name__ == "__main__":
    main(sys.argv[1])
