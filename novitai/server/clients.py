"""The clients of one process: for how long each may keep the server waiting, how much memory all
of them may hold, and who is closed first when connections or memory run short.
"""

import time
from collections.abc import Callable
from typing import Protocol

import structlog

logger = structlog.get_logger(__name__)

# Limit for the bodies and unsent answers of all clients; above it the largest are closed.
MOST_BYTES = 67_108_864
# A client with less than this is not closed for its memory.
_LEAST_BYTES = 16_384
# This part of the connections is kept free for new clients.
_PART_KEPT_FREE = 20
# Time to take an answer; it begins anew whenever the client has taken some of it.
SEND_SECONDS = 30.0
# Time for a request of a kept connection that was on its way when the process was told to stop.
STOP_SECONDS = 0.5


class Client(Protocol):
    """A connection, as far as its bounds go."""

    size: int

    @property
    def is_sending(self) -> bool: ...

    def expire(self) -> None:
        """Its time is over."""

    def abort(self) -> None: ...


class Clients:
    """Used in the event loop only. ``read_seconds``: time for one request to arrive."""

    def __init__(
        self, read_seconds: float, most_connections: int, on_stop: Callable[[], None]
    ) -> None:
        self._read_seconds = read_seconds
        self._on_stop = on_stop
        self._most = most_connections - most_connections // _PART_KEPT_FREE
        self._total_bytes = 0
        # Connections that wait for their client (monotonic deadline); the oldest stands first.
        self._waiting: dict[Client, float] = {}
        self._all: set[Client] = set()
        self.is_stopping = False

    @property
    def patience(self) -> float:
        """Time for a request to arrive, in seconds."""
        return STOP_SECONDS if self.is_stopping else self._read_seconds

    def enter(self, client: Client) -> None:
        """Too many connections: the one whose client says nothing for longest is closed."""
        self._all.add(client)
        self.wait(client, self.patience)
        if len(self._all) > self._most:
            self._drop(next((each for each in self._waiting if not each.is_sending), client))

    def leave(self, client: Client) -> None:
        self._all.discard(client)
        self.attend(client)
        self.weigh(client, 0)

    def wait(self, client: Client, seconds: float) -> None:
        """The client is the one to act."""
        self._waiting.pop(client, None)
        self._waiting[client] = time.monotonic() + seconds

    def attend(self, client: Client) -> None:
        """The server is the one to act."""
        self._waiting.pop(client, None)

    def weigh(self, client: Client, size: int) -> None:
        """The client holds ``size`` bytes of memory."""
        self._total_bytes += size - client.size
        client.size = size
        while self._total_bytes > MOST_BYTES:
            largest = max((client, *self._waiting), key=lambda each: each.size)
            if largest.size < _LEAST_BYTES:
                return
            logger.warning("client_closed_for_memory", bytes=largest.size)
            self._drop(largest)

    def _drop(self, client: Client) -> None:
        self.leave(client)
        client.abort()

    def sweep(self) -> None:
        """End the waiting of those whose time is over; the caller does this five times a second."""
        now = time.monotonic()
        for client in [client for client, until in self._waiting.items() if until <= now]:
            client.expire()

    def stop(self) -> None:
        """From now on every answer closes its connection."""
        if not self.is_stopping:
            self.is_stopping = True
            self._on_stop()
