"""One request and its response, as the connection underneath sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from egress.errors import ExchangeTimeout

Guard = Callable[[str], str | None]


class Deadline:
    """A point on the monotonic clock that everything in an exchange shares."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._ends_at = time.monotonic() + timeout_seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._ends_at

    def remaining(self, *, is_sent: bool) -> float:
        """Seconds left, always positive: a socket timeout of 0 would mean non-blocking.

        Raises ExchangeTimeout when none are left.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise self.expired(is_sent=is_sent)
        return left

    def expired(self, *, is_sent: bool) -> ExchangeTimeout:
        return ExchangeTimeout(f"no answer within {self.timeout_seconds:g} s", is_sent=is_sent)


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What an exchange may receive after the head of the answer: bytes as they come (framing and
    compression included), receives, and lines (a chunk of a body has two). None: any number.
    """

    body_bytes: int
    receives: int | None = None
    lines: int | None = None


@dataclass(slots=True)
class Exchange:
    """Written by the connection classes while they work; read when something breaks.

    `guard` gets each address just before it is connected to and answers with the reason to
    refuse it, or None.
    """

    deadline: Deadline
    limits: WireLimits
    guard: Guard | None = None
    is_connection_fresh: bool = False
    has_sent: bool = False
    has_received: bool = False

    def remaining(self) -> float:
        return self.deadline.remaining(is_sent=self.has_sent)


_current: ContextVar[Exchange] = ContextVar("current_http_exchange")


def current_exchange() -> Exchange:
    """Raises LookupError outside of an exchange: these connections never work undeadlined."""
    return _current.get()


@contextmanager
def exchange_scope(exchange: Exchange) -> Iterator[Exchange]:
    token = _current.set(exchange)
    try:
        yield exchange
    finally:
        _current.reset(token)
