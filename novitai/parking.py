"""Connections that wait for their clients in the main loop, where waiting holds nobody up."""

import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

# How exactly the waiting ends.
_SWEEP_SECONDS = 0.2


@dataclass(slots=True)
class _Place:
    until: float
    is_done: Callable[[Any], bool]
    then: Callable[[Any], None]


class ParkingLot:
    """Used by the main loop only. A connection's ``sock`` is a ``ClientSocket``."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._parked: dict[Any, _Place] = {}
        self._next_sweep = 0.0

    def park(
        self,
        conn: Any,
        event: int,
        seconds: float,
        is_done: Callable[[Any], bool],
        then: Callable[[Any], None],
    ) -> None:
        """``is_done`` is asked at each event of the socket. If so, or in the end, ``then``."""
        self._parked[conn] = _Place(time.monotonic() + seconds, is_done, then)
        self._selector.register(conn.sock, event, partial(self._look, conn))

    def _look(self, conn: Any, _: Any) -> None:
        if self._parked[conn].is_done(conn):
            self._leave(conn)

    def _leave(self, conn: Any) -> None:
        place = self._parked.pop(conn)
        self._selector.unregister(conn.sock)
        place.then(conn)

    def sweep(self) -> None:
        """For whom the time is up."""
        now = time.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + _SWEEP_SECONDS
        for conn in [conn for conn, place in self._parked.items() if place.until <= now]:
            self._leave(conn)

    def hurry(self, seconds: float) -> None:
        """Nobody waits for longer than so many seconds from now."""
        latest = time.monotonic() + seconds
        for place in self._parked.values():
            place.until = min(place.until, latest)

    def weight(self) -> int:
        """Bytes of memory that all of them hold."""
        return sum(conn.sock.weight for conn in self._parked)
