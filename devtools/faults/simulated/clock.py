"""One clock for Postgres, Python and the simulated world; it moves only when it is told to.

Postgres finds its clock functions by the search path: a schema before its own catalogue gives the
virtual time to the service's SQL, and Django's (see ``database``).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import time_machine
from django.db import connection
from django.db.backends.signals import connection_created

# Far from the present, so that a read of the real clock is noticed.
BEGINNING = datetime(2031, 3, 4, 5, 0, tzinfo=UTC)
OURS = frozenset({"accounts", "egress", "instances", "jobs", "upstream"})
_PATH = "virtual, public, pg_catalog"
_ON = (
    f"SELECT set_config('search_path', '{_PATH}', false),"
    " set_config('virtual.now', %s, false), set_config('synchronous_commit', 'off', false)"
)


class VirtualClock:
    """Milliseconds since 1970. ``each_beat`` is called every five virtual seconds."""

    BEAT_MS = 5_000

    def __init__(self, each_beat: Callable[[], None] = lambda: None) -> None:
        self._started_ms = self.now_ms = round(BEGINNING.timestamp() * 1000)
        self._each_beat = each_beat
        self._next_beat_ms = self.now_ms + self.BEAT_MS
        self._traveller: Any = None

    def real_ms(self) -> int:
        """The real time in the simulator's sense."""
        return self.now_ms

    def monotonic(self) -> float:
        return (self.now_ms - self._started_ms) / 1000

    def at(self, seconds: float) -> int:
        """The time ``seconds`` after the beginning."""
        return self._started_ms + round(seconds * 1000)

    @property
    def now(self) -> datetime:
        return BEGINNING + timedelta(milliseconds=self.now_ms - self._started_ms)

    def sleep(self, seconds: float) -> None:
        self.move_to(self.now_ms + max(round(seconds * 1000), 1))

    def move_to(self, moment_ms: int) -> None:
        """Never inside a transaction: its rollback would also reset the time in Postgres."""
        assert not connection.in_atomic_block, "time stands still inside a transaction"  # noqa: S101
        while self._next_beat_ms <= moment_ms:
            beat_ms = self._next_beat_ms
            self._next_beat_ms += self.BEAT_MS
            self._show(beat_ms)
            self._each_beat()
        self._show(moment_ms)

    def _show(self, moment_ms: int) -> None:
        self.now_ms = max(self.now_ms, moment_ms)
        self._traveller.move_to(self.now)
        # Not through Django, whose cursors take longer than the statement.
        connection.ensure_connection()
        connection.connection.execute(f"SET virtual.now = '{self.now.isoformat()}'")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Replace all clocks, on this connection and on later ones."""
        with ExitStack() as stack:
            traveller = stack.enter_context(time_machine.travel(self.now, tick=False))
            self._traveller = traveller
            for module in _modules_that_tell_time():
                stack.enter_context(patch.object(module, "time", self))
            connection_created.connect(self._begin)
            stack.callback(connection_created.disconnect, self._begin)
            connection.close()
            stack.callback(connection.close)
            connection.ensure_connection()
            yield

    def _begin(self, **signal: Any) -> None:
        with signal["connection"].cursor() as cursor:
            cursor.execute(_ON, [self.now.isoformat()])


def _modules_that_tell_time() -> list[Any]:
    """Modules that use time.monotonic or sleep, which time_machine does not replace."""
    return [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in OURS and getattr(module, "time", None) is time
    ]
