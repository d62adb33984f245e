"""Connections to waiting clients: through the web server, or a queue for a request's thread."""

import asyncio
import queue
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from typing import Any, Protocol

RawHeaders = list[tuple[bytes, bytes]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# Bytes in a client's send buffer above which no more are added until most were received.
HIGH_WATER = 256 * 1024


class Connection(Protocol):
    """Connection to one client; used by the event loop only."""

    on_gone: Callable[[], None]
    on_room: Callable[[], None]

    @property
    def full_since(self) -> float | None:
        """Monotonic time since which the send buffer is above HIGH_WATER; None if it is not."""

    def begin(self, length: int | None, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Write the head of the answer; without a length, the answer ends with the connection."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        """Close after everything written was received."""

    def abort(self) -> None:
        """Close at once."""


def _nothing() -> None:
    """Default of the callbacks."""


class AsgiConnection:
    """A client of the web server, for one answer: a task sends what the hub writes.

    abort: resets the connection; ``lose`` is called once it is gone, whoever ended it.
    """

    def __init__(self, headers: RawHeaders, send: Send, abort: Callable[[], None]) -> None:
        self._headers, self._send = headers, send
        self.abort = abort
        self._messages: deque[dict[str, Any]] = deque()
        self._unsent = 0
        self._wakeup = asyncio.Event()
        self._is_over = False
        self.full_since: float | None = None
        self.on_gone: Callable[[], None] = _nothing
        self.on_room: Callable[[], None] = _nothing

    async def run(self) -> None:
        """Send what is written until that is the end, or the client has gone."""
        try:
            while not self._is_over or self._messages:
                await self._wakeup.wait()
                self._wakeup.clear()
                await self._send_all()
        finally:
            self.on_gone()

    async def _send_all(self) -> None:
        while self._messages:
            message = self._messages.popleft()
            await self._send(message)
            self._unsent -= len(message.get("body", b""))
        if self.full_since is not None:
            self.full_since = None
            self.on_room()

    def begin(self, length: int | None, status: HTTPStatus = HTTPStatus.OK) -> None:
        headers = [*self._headers]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        self._add({"type": "http.response.start", "status": status.value, "headers": headers})

    def write(self, data: bytes) -> None:
        self._add({"type": "http.response.body", "body": data, "more_body": True})
        self._unsent += len(data)
        if self._unsent > HIGH_WATER and self.full_since is None:
            self.full_since = time.monotonic()

    def close(self) -> None:
        self._add({"type": "http.response.body"})
        self._is_over = True

    def lose(self) -> None:
        """The client has gone."""
        self._is_over = True
        self._messages.clear()
        self._wakeup.set()

    def _add(self, message: dict[str, Any]) -> None:
        if not self._is_over:
            self._messages.append(message)
            self._wakeup.set()


class QueueSink:
    """For other servers (tests, runserver): the request's thread reads the answer from a queue."""

    full_since: float | None = None

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.on_gone: Callable[[], None] = _nothing
        self.on_room: Callable[[], None] = _nothing

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._queue.get, None)

    def begin(self, length: int | None, status: HTTPStatus = HTTPStatus.OK) -> None:
        """The server has already sent the head, so a refusal is visible in the body only."""

    def write(self, data: bytes) -> None:
        self._queue.put(data)

    def close(self) -> None:
        self._queue.put(None)
        self.on_gone()

    def abort(self) -> None:
        self.close()
