"""A bound on how long a client may take to say what it wants.

A request is read by the thread that will answer it, so a client that sends half a request and
waits would hold one of few threads for ever, and so many would stop the service.
"""

import socket
import time
from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException

# To a client that does not take its answer, per write.
SEND_SECONDS = 30.0


class RequestTimeout(ParseException):  # type: ignore[misc]
    """The request did not arrive in time."""


# What reading a body raises when it cannot be read to its end.
UNREADABLE = "The request body could not be read to its end."
UNREADABLE_BODY = (ParseException, NoMoreData)


class BoundedSocket:
    """A client's socket whose reads for one request take so many seconds in all, and no more."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._seconds = seconds
        self._deadline = 0.0
        self._is_closing = False
        self.begin_request()

    def begin_request(self) -> None:
        self.allow(self._seconds)

    def allow(self, seconds: float) -> None:
        """From now on, for all that is still to be read."""
        self._deadline = time.monotonic() + seconds

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Raises RequestTimeout when the request's time is up."""
        if self._is_closing:
            return self._sock.recv(size, flags)
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise RequestTimeout
        self._sock.settimeout(remaining)
        try:
            return self._sock.recv(size, flags)
        except TimeoutError:
            raise RequestTimeout from None
        finally:
            self._sock.settimeout(SEND_SECONDS)

    def shutdown(self, how: int) -> None:
        """Whoever closes reads on for a moment, by its own clock, what the client still sends."""
        self._is_closing = True
        self._sock.shutdown(how)

    def give_away(self) -> socket.socket:
        """The socket itself, for somebody else to answer. The server that asked for a
        BoundedSocket goes on with one that leads nowhere, and closes that.
        """
        sock, self._sock = self._sock, Nowhere()  # type: ignore[assignment]
        return sock

    @property
    def is_given_away(self) -> bool:
        return isinstance(self._sock, Nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Nowhere:
    """What a server may do with a socket that is another's by now: whatever it likes, in vain."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        return b""

    def send(self, data: bytes, flags: int = 0) -> int:
        return len(data)

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Swallows it."""

    def setblocking(self, flag: bool) -> None:
        """Neither blocks nor not."""

    def settimeout(self, seconds: float | None) -> None:
        """Never waits."""

    def shutdown(self, how: int) -> None:
        """Shutting the given one down would cut off its client."""

    def close(self) -> None:
        """Nothing is open."""
