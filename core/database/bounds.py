"""Time limits of the client for every wait for the database.

statement_timeout and lock_timeout are enforced by the server; a frozen server, or a network that
loses its answer, does not enforce them. So a connection of this class also has its own limits:

    web and worker processes   after statement_timeout and a margin (``serve_with_bounds``)
    web processes              as soon as the pulse finds the server silent (``pulse``)
    probes                     within the seconds of ``within``

Commands such as ``migrate`` have no limit.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from threading import local
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from core.database.failures import NoAnswer

R = TypeVar("R")

# Seconds added to the server's statement_timeout, which normally ends the statement first.
MARGIN_SECONDS = 5.0
# Limit in seconds if the server has no statement_timeout.
LONGEST_SECONDS = 300.0
# After this many seconds of waiting, the pulse is asked whether the server is silent.
SUSPICION_SECONDS = 0.2

_is_serving = False
_suspect: Callable[[], bool] = lambda: False  # noqa: E731 - replaced by watch_with
_thread = local()


def serve_with_bounds() -> None:
    """Enable the time limit for all statements of this process."""
    global _is_serving
    _is_serving = True


def watch_with(suspect: Callable[[], bool]) -> None:
    """``suspect`` is called while a statement waits; it says whether the server is silent."""
    global _suspect
    _suspect = suspect


def check_pulse() -> None:
    """Raises NoAnswer at once while the server is known to be silent."""
    if _suspect():
        raise NoAnswer("the database does not answer")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit the statements of this thread; an outer, earlier limit stays in force."""
    outer: float | None = getattr(_thread, "deadline", None)
    own = time.monotonic() + seconds
    _thread.deadline = own if outer is None else min(own, outer)
    try:
        yield
    finally:
        _thread.deadline = outer


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose statements end within ``limit_seconds``, with NoAnswer if need be."""

    limit_seconds = LONGEST_SECONDS
    # Behind a transaction pooler the server has other limits, so this one is set per statement.
    is_cancelled_by_us = False

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """The only place where psycopg waits for an answer."""
        return super().wait(self._bounded(gen), *args, **kwargs)

    def _bounded(self, waiting: Generator[Any, Any, R]) -> Generator[Any, Any, R]:
        """The same generator; checks the time limit whenever nothing arrived for 0.1 s."""
        started = 0.0
        try:
            state = next(waiting)
            while True:
                ready = yield state
                if not ready:
                    now = time.monotonic()
                    started = started or now
                    self._check_clock(now, started)
                state = waiting.send(ready)
        except StopIteration as stop:
            result: R = stop.value
            return result

    def _check_clock(self, now: float, started: float) -> None:
        # Waiting for notifications is not limited: it has its own timeout.
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return
        deadline = getattr(_thread, "deadline", None)
        is_over = (deadline is not None and now > deadline) or (
            _is_serving and now - started > self.limit_seconds
        )
        if is_over or (now - started > SUSPICION_SECONDS and _suspect()):
            self._give_up()

    def _give_up(self) -> None:
        if self.is_cancelled_by_us:
            with suppress(psycopg.Error):  # The server may not answer this either.
                self.cancel_safe(timeout=1.0)
        self.close()
        raise NoAnswer("the database does not answer")
