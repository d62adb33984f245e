"""Connections to waiting clients: a client's socket, or a queue for a request's thread."""

import asyncio
import queue
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol, cast

Headers = list[tuple[str, str]]

# Bytes in a client's send buffer above which no more are added until most were received.
HIGH_WATER = 256 * 1024
# Bytes that a client may send after its request, all discarded; above, the connection is aborted.
MOST_UNREAD = 64 * 1024


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


class SocketSink(asyncio.Protocol):
    """A socket handed over by the web server, for one answer; closed after it."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self._transport: asyncio.Transport | None = None
        self._unread = 0
        self.full_since: float | None = None
        self.on_gone: Callable[[], None] = _nothing
        self.on_room: Callable[[], None] = _nothing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.on_gone()

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        if self._unread > MOST_UNREAD:
            self.abort()

    def pause_writing(self) -> None:
        self.full_since = time.monotonic()

    def resume_writing(self) -> None:
        self.full_since = None
        self.on_room()

    def begin(self, length: int | None, status: HTTPStatus = HTTPStatus.OK) -> None:
        headers = [
            ("Server", "novitai"),
            ("Date", formatdate(usegmt=True)),
            ("Connection", "close"),
            *self._headers,
        ]
        if length is not None:
            headers.append(("Content-Length", str(length)))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self.write(f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n".encode("latin-1"))

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class QueueSink:
    """For servers that keep their socket: the request's thread reads the answer from a queue."""

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
