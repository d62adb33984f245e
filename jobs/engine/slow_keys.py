"""Keys of fair types whose calls take long: they get one place each while they are slow.

Written by the completer's thread, read by ``claim.sql``. A key is slow for some minutes after its
last slow call, or until a call of it was quick.
"""

import time
from collections.abc import Iterable

from django.db import connection

from jobs.models import SlowKey

# Seconds of a call from which its key is slow.
SLOW_SECONDS = 2
KEPT_SECONDS = 600
# Seconds between reads of the table, to know which quick calls matter.
REFRESH_SECONDS = 5.0

# Type and key, with the seconds of the call.
Call = tuple[str, str, float]

_MARK = """
INSERT INTO jobs_slowkey (type, fair_key, until)
SELECT type, fair_key, clock_timestamp() + make_interval(secs => %s)
FROM unnest(%s::text[], %s::text[]) AS slow(type, fair_key) ORDER BY type, fair_key
ON CONFLICT (type, fair_key) DO UPDATE SET until = EXCLUDED.until
"""
_CLEAR = """
DELETE FROM jobs_slowkey WHERE (type, fair_key) IN (
    SELECT type, fair_key FROM jobs_slowkey
    WHERE until < clock_timestamp() OR (type, fair_key) IN (
        SELECT * FROM unnest(%s::text[], %s::text[])
    )
    ORDER BY type, fair_key FOR UPDATE SKIP LOCKED
)
"""


class SlowKeys:
    """What one process knows of slow keys. Not thread-safe."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()
        self._read_at = float("-inf")

    def note(self, calls: Iterable[Call]) -> None:
        """Write which keys are slow now, and which are not any more."""
        slow: set[tuple[str, str]] = set()
        quick: set[tuple[str, str]] = set()
        for type_, fair_key, seconds in calls:
            (slow if seconds >= SLOW_SECONDS else quick).add((type_, fair_key))
        if quick:
            self._refresh()
        self._write(_MARK, slow, [KEPT_SECONDS])
        self._write(_CLEAR, (quick & self._known) - slow, [])
        self._known = (self._known | slow) - (quick - slow)

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._read_at > REFRESH_SECONDS:
            self._read_at = now
            self._known = set(SlowKey.objects.values_list("type", "fair_key"))

    @staticmethod
    def _write(statement: str, keys: set[tuple[str, str]], parameters: list[int]) -> None:
        if not keys:
            return
        types, fair_keys = zip(*sorted(keys), strict=True)
        with connection.cursor() as cursor:
            cursor.execute(statement, [*parameters, list(types), list(fair_keys)])
