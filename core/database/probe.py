"""Whether the database can be written, asked at most once a second in each process.

A database that takes connections and answers reads may be read-only (a failover), or have no space
left. So the probe writes: one small row, which a commit brings to the disk, and some pages of a
sort that does not fit into memory, since a row that is changed in place needs no new space.
"""

import threading
import time
from dataclasses import dataclass

import psycopg
from django.db import Error, connection, transaction

from core.database import state
from core.database.bounds import within
from core.database.failures import Cause, cause_of

# Seconds for the whole probe; /livez, /readyz and /health must answer within three.
LIMIT_SECONDS = 2.5
_FRESH_SECONDS = 1.0
# SKIP LOCKED: if another process is writing the row now, a second write is not needed.
_WRITE = """
UPDATE novitai_write_probe SET written_at = clock_timestamp()
WHERE id = (SELECT id FROM novitai_write_probe WHERE id = 1 FOR UPDATE SKIP LOCKED)
"""
_NEED_SPACE = """
SELECT count(*) FROM (
    SELECT repeat(n::text, 40) FROM generate_series(1, 2000) AS n ORDER BY 1 DESC OFFSET 0
) AS spilled
"""
_LIMITS = (
    "SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '1s'; SET LOCAL work_mem = '64kB'"
)


@dataclass(frozen=True, slots=True)
class _Found:
    cause: Cause | None
    at: float


_lock = threading.Lock()
_found: _Found | None = None


def cause_against_writing() -> Cause | None:
    """Why the database cannot be written now; None if it can."""
    global _found
    if not _lock.acquire(timeout=LIMIT_SECONDS):
        return Cause.SILENT
    try:
        if _found is None or time.monotonic() - _found.at > _FRESH_SECONDS:
            _found = _Found(_ask(), time.monotonic())
        return _found.cause
    finally:
        _lock.release()


def forget() -> None:
    """Reset the state of this process; for tests."""
    global _found
    _found = None


def _ask() -> Cause | None:
    try:
        with within(LIMIT_SECONDS), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_LIMITS)
            cursor.execute(_NEED_SPACE)
            cursor.execute(_WRITE)
    except Error as error:
        return None if _is_not_migrated(error) else cause_of(error) or Cause.FAILED
    state.note_write()
    return None


def _is_not_migrated(error: Error) -> bool:
    """A missing table is not reported here: the condition ``migrations_missing`` covers it."""
    return isinstance(error.__cause__, psycopg.errors.UndefinedTable)
