"""State of one request and its answer for the network layer: deadline, limits, progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from egress.errors import (
    BodyTooLarge,
    ConnectionLost,
    ExchangeTimeout,
    HeadTooLarge,
    TransportError,
)

Guard = Callable[[str], str | None]
# Limit for the heads of the final and all interim answers (1xx) together.
MOST_HEAD_BYTES = 65_536
_RECEIVE_BYTES = 16_384


class Deadline:
    """A point on the monotonic clock that limits all steps of an exchange."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._ends_at = time.monotonic() + timeout_seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._ends_at

    def remaining(self, *, is_sent: bool) -> float:
        """Seconds left, always positive: a socket timeout of 0 would mean non-blocking.

        Raises ExchangeTimeout if none are left.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise self.expired(is_sent=is_sent)
        return left

    def expired(self, *, is_sent: bool) -> ExchangeTimeout:
        return ExchangeTimeout(f"no answer within {self.timeout_seconds:g} s", is_sent=is_sent)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one answer.

    ``body_bytes``: bytes received after the head, framing and compression included. ``pieces``:
    receives for the whole answer plus parts of its body (such as chunks). None: no limit.
    """

    body_bytes: int
    pieces: int | None = None


@dataclass(slots=True)
class Exchange:
    """Written by the network layer; read when an error occurs.

    `guard` gets each address just before the connect and returns the reason to refuse it, or None.
    `address` is what was connected to; empty before that, and behind a proxy.
    """

    deadline: Deadline
    limits: Limits
    guard: Guard | None = None
    address: str = ""
    is_connection_fresh: bool = False
    has_sent: bool = False
    has_received: bool = False
    is_closed_by_peer: bool = False
    _is_head_whole: bool = field(default=False, init=False)
    _bytes: int = field(default=0, init=False)
    _pieces: int = field(default=0, init=False)

    def remaining(self) -> float:
        return self.deadline.remaining(is_sent=self.has_sent)

    def next_receive(self, most: int) -> int:
        """The number of bytes to receive next. Raises HeadTooLarge and BodyTooLarge."""
        self._count_piece()
        limit = self.limits.body_bytes if self._is_head_whole else MOST_HEAD_BYTES
        if self._bytes < limit:
            return min(most, limit - self._bytes, _RECEIVE_BYTES)
        if self._is_head_whole:
            raise BodyTooLarge(f"an answer of more than {limit:,} bytes")
        raise HeadTooLarge(f"the answer's headers have more than {limit:,} bytes")

    def note_received(self, count: int) -> None:
        """Note received bytes; 0 means that the peer closed its side."""
        self._bytes += count
        self.has_received = self.has_received or bool(count)
        self.is_closed_by_peer = not count

    def note_head(self) -> None:
        """Note that the final answer's head is complete.

        Raises ConnectionLost if it was in a kept connection before the request was sent: it is the
        rest of an earlier answer, not the answer to this request.
        """
        if not self.has_received:
            raise self.lost("the server sent more than it was asked for")
        self._is_head_whole, self._bytes = True, 0

    def counted(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """The parts of the body, unchanged. Raises BodyTooLarge."""
        for part in parts:
            self._count_piece()
            yield part

    def _count_piece(self) -> None:
        self._pieces += 1
        if self.limits.pieces is not None and self._pieces > self.limits.pieces:
            raise BodyTooLarge(f"an answer of more than {self.limits.pieces:,} pieces")

    def lost(self, words: str) -> ConnectionLost:
        is_stale = not self.is_connection_fresh and not self.has_received
        return ConnectionLost(f"connection lost ({words})", is_stale=is_stale)

    def broken(self, error: OSError) -> TransportError:
        """The error for a socket error after a send or receive."""
        if self.deadline.is_over or isinstance(error, TimeoutError):
            return self.deadline.expired(is_sent=self.has_sent)
        return self.lost(error.strerror or type(error).__name__)


_current: ContextVar[Exchange] = ContextVar("current_http_exchange")


def current_exchange() -> Exchange:
    """Raises LookupError outside of an exchange: there would be no deadline."""
    return _current.get()


@contextmanager
def exchange_scope(exchange: Exchange) -> Iterator[None]:
    token = _current.set(exchange)
    try:
        yield
    finally:
        _current.reset(token)
