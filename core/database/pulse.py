"""Pulse: one thread and one connection of a web process that check whether the database answers.

While a statement waits, a slow statement cannot be distinguished from a frozen server. Then the
pulse sends ``SELECT 1``. Without an answer within LIMIT_SECONDS the server counts as silent: all
waits of the process end at once and new ones are refused, so that a frozen server blocks no request
threads and probes are answered. The first answer ends this.
"""

import threading
from collections.abc import Callable
from typing import Any

import psycopg

from core.database import bounds, state
from core.database.bounds import BoundedConnection
from core.database.failures import Cause, NoAnswer, cause_of

LIMIT_SECONDS = 1.3
# The shortest connect_timeout that libpq accepts.
_CONNECT_SECONDS = "2"
_PAUSE_SECONDS = 0.1

Parameters = Callable[[], dict[str, Any]]


class Pulse(threading.Thread):
    """parameters: returns the connection parameters; called for each new connection, since the
    address of an embedded server may change.
    """

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(name="database-pulse", daemon=True)
        self._parameters = parameters
        self._connection: BoundedConnection | None = None
        self._asked = threading.Event()
        self._is_over = threading.Event()
        self.is_silent = False

    def suspect(self) -> bool:
        """Request a check, without waiting; returns whether the server is known to be silent."""
        self._asked.set()
        return self.is_silent

    def stop(self) -> None:
        self._is_over.set()
        self._asked.set()

    def run(self) -> None:
        self._beat()
        while not self._is_over.is_set():
            self._asked.wait(_PAUSE_SECONDS if self.is_silent else None)
            self._asked.clear()
            self._beat()
            self._is_over.wait(_PAUSE_SECONDS if not self.is_silent else 0)
        self._hang_up()

    def _beat(self) -> None:
        try:
            self._ask()
        except psycopg.Error as error:
            self._hang_up()
            # A refused connection is an answer too; request threads get that error themselves.
            self._take(is_silent=cause_of(error) is Cause.SILENT, error=error)
        else:
            self._take(is_silent=False)

    def _ask(self) -> None:
        if self._connection is None:
            self._connection = _Asking.connect(
                **{**self._parameters(), "connect_timeout": _CONNECT_SECONDS}, autocommit=True
            )
        self._connection.execute("SELECT 1")

    def _take(self, *, is_silent: bool, error: Exception | None = None) -> None:
        if is_silent and not self.is_silent:
            state.note_trouble(Cause.SILENT, error or NoAnswer())
        elif self.is_silent and not is_silent:
            state.note_answer()
        self.is_silent = is_silent

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Asking(BoundedConnection):
    """The connection of the pulse; its limit is the clock only, not the pulse itself."""

    def _check_clock(self, now: float, started: float) -> None:
        if now - started > LIMIT_SECONDS:
            self._give_up()


def watch(parameters: Parameters) -> Pulse:
    """Start the pulse of this process, and use it for every wait for the database."""
    pulse = Pulse(parameters)
    bounds.watch_with(pulse.suspect)
    pulse.start()
    return pulse
