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
    seconds: float
    until: float
    is_writing: bool
    is_done: Callable[[Any], bool]
    then: Callable[[Any], None]


class ParkingLot:
    """Used by the main loop only. A connection's ``sock`` is a ``ClientSocket``."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._parked: dict[Any, _Place] = {}
        self._aside: dict[Any, tuple[float, Callable[[Any], None]]] = {}
        self._next_sweep = 0.0

    def park(
        self,
        conn: Any,
        event: int,
        seconds: float,
        is_done: Callable[[Any], bool],
        then: Callable[[Any], None],
    ) -> None:
        """``is_done`` is asked at each event of the socket. If so, or in the end, ``then``.

        seconds: in all, to say something; to take an answer, since anything was last taken of it.
        """
        is_writing = event == selectors.EVENT_WRITE
        until = time.monotonic() + seconds
        self._parked[conn] = _Place(seconds, until, is_writing, is_done, then)
        self._selector.register(conn.sock, event, partial(self._look, conn))

    def set_aside(self, conn: Any, seconds: float, then: Callable[[Any], None]) -> None:
        """``then``, after that time, whatever the client does meanwhile: its socket is not watched,
        as one that is closed or says more would keep the main loop awake.
        """
        self._aside[conn] = (time.monotonic() + seconds, then)

    def _look(self, conn: Any, _: Any) -> None:
        place = self._parked.get(conn)
        if place is None:
            # Evicted by somebody whose event came with this one.
            return
        if place.is_done(conn):
            self._leave(conn)
        elif place.is_writing:
            place.until = time.monotonic() + place.seconds

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
        for conn in [conn for conn, (until, _) in self._aside.items() if until <= now]:
            _, then = self._aside.pop(conn)
            then(conn)
        for conn in [conn for conn, place in self._parked.items() if place.until <= now]:
            # What was done about one may have evicted another.
            if conn in self._parked:
                self._leave(conn)

    def hurry(self, seconds: float) -> None:
        """Who has something to say has so many seconds from now; answers are taken to their end."""
        latest = time.monotonic() + seconds
        for place in self._parked.values():
            if not place.is_writing:
                place.until = min(place.until, latest)

    def evict_longest_waiting(self) -> Any:
        """Of those that wait for their client to say something; as ``evict_heaviest``."""
        reading = (conn for conn, place in self._parked.items() if not place.is_writing)
        longest = next(reading, None)
        if longest is not None:
            self._parked.pop(longest)
            self._selector.unregister(longest.sock)
        return longest

    def evict_heaviest(self, least: int) -> Any:
        """Takes it out of its place, with nothing done about it. None when none weighs so much."""
        heaviest = max(self._parked, key=lambda conn: conn.sock.weight, default=None)
        if heaviest is None or heaviest.sock.weight < least:
            return None
        self._parked.pop(heaviest)
        self._selector.unregister(heaviest.sock)
        return heaviest


class Scales:
    """How much memory clients hold, in bytes, those in threads included. Main loop only."""

    def __init__(self) -> None:
        self.total = 0
        self._weights: dict[Any, int] = {}

    def weigh(self, conn: Any) -> None:
        """Again, since it may have changed."""
        self.forget(conn)
        if weight := conn.sock.weight:
            self._weights[conn] = weight
            self.total += weight

    def forget(self, conn: Any) -> None:
        self.total -= self._weights.pop(conn, 0)
