"""A client's socket that no thread waits for.

A thread that read its request itself would be held by whoever sends half of one, and a thread that
waited until its answer is taken by whoever reads none; there are few threads, and clients are many.
So the main loop gathers a request before a thread sees it, and what of an answer the client does
not take at once is the main loop's again (``novitai.server.patient_worker``).
"""

import contextlib
import select
import socket
import time
from typing import Any, cast

from novitai.server.arriving import Arriving

_READ_BYTES = 65_536
# So much of an answer is put together before it is sent.
_TOGETHER_BYTES = 65_536
# So much is read away after the last answer.
_MOST_DRAINED_BYTES = 65_536
# More than this nobody keeps for a client; a thread waits for it then, but not for ever.
MOST_UNSENT_BYTES = 4_194_304
SEND_SECONDS = 30.0

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientSocket:
    """What gunicorn takes for a socket. Never blocks, whatever it is told.

    body_limit: in bytes.
    """

    def __init__(self, sock: socket.socket, body_limit: int) -> None:
        sock.setblocking(False)
        self._sock: socket.socket | Nowhere = sock
        self._body_limit = body_limit
        self._arriving = Arriving(body_limit)
        self._is_told_to_continue = False
        self._is_ended = False
        self._is_closing = False
        self._unsent = bytearray()
        self._held_until = 0.0
        self._drained = 0

    # What the main loop asks

    def gather(self) -> bool:
        """Read what there is. Whether it is a request by now, or something to be refused."""
        if not self._arriving.is_worth_reading and not self._is_ended:
            self._read()
        if self._arriving.expects_continue and not self._is_told_to_continue:
            self._is_told_to_continue = True
            with contextlib.suppress(OSError):
                self._sock.send(_CONTINUE)
        return self._arriving.is_worth_reading or self._is_ended

    def _read(self) -> None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._is_ended = not data
        self._arriving.feed(data)

    def gather_within(self, milliseconds: float) -> bool:
        """As ``gather``, but the client may take a moment."""
        if self._unsent or self._arriving.is_worth_reading:
            return not self._unsent
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        return bool(poll.poll(milliseconds)) and self.gather()

    def begin_next(self) -> None:
        """The request is answered. What came after it belongs to the next one."""
        self._arriving = Arriving(self._body_limit, self._arriving.rest())
        self._is_told_to_continue = False

    def read_no_more(self) -> None:
        """The last request is answered, and what else has come is nobody's."""
        self._arriving = Arriving(self._body_limit)
        self._is_closing = True

    @property
    def is_clean(self) -> bool:
        """Whether all of the request is here, and the next one can follow it."""
        return self._arriving.is_clean

    @property
    def has_begun(self) -> bool:
        """Whether there is anything of a request."""
        return self._arriving.has_begun

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    @property
    def weight(self) -> int:
        """Bytes of memory that it holds."""
        return self._arriving.size + len(self._unsent)

    def hold_back(self, seconds: float) -> None:
        """Send nothing of the answer before that time is over: the client waits, and no thread."""
        self._held_until = time.monotonic() + seconds

    @property
    def held_seconds(self) -> float:
        return max(self._held_until - time.monotonic(), 0.0)

    def push(self) -> bool:
        """Send what the client takes. Whether that was all; nobody is left to take the rest of a
        broken connection.
        """
        if self._unsent and self.held_seconds:
            return False
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._unsent.clear()
        return True

    def drain(self) -> bool:
        """Read away what there is. Whether that was the last of it, or as much as anybody reads."""
        try:
            data = self._sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        self._drained += len(data)
        return not data or self._drained > _MOST_DRAINED_BYTES

    # What gunicorn asks

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Raises RequestTimeout, or what else is wrong, where the rest has not come."""
        data = self._arriving.take(size)
        if data or self._is_ended or self._is_closing:
            return data
        raise self._arriving.refusal

    def send(self, data: bytes, flags: int = 0) -> int:
        """100 Continue, which came from here when it was of use (``gather``)."""
        return len(data)

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Raises TimeoutError when the client takes nothing of a large answer."""
        self._unsent += data
        if len(self._unsent) > _TOGETHER_BYTES and not self.push():
            while len(self._unsent) > MOST_UNSENT_BYTES:
                self._wait_until_taken()

    def _wait_until_taken(self) -> None:
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLOUT)
        if not poll.poll(SEND_SECONDS * 1000):
            raise TimeoutError
        self.push()

    def give_away(self) -> socket.socket:
        """The socket itself, for somebody else to answer. The server goes on with one that leads
        nowhere, and closes that.
        """
        sock, self._sock = self._sock, Nowhere()
        return cast(socket.socket, sock)

    @property
    def is_given_away(self) -> bool:
        return isinstance(self._sock, Nowhere)

    def shutdown(self, how: int) -> None:
        self.read_no_more()
        self.push()
        self._sock.shutdown(how)

    def close(self) -> None:
        self._unsent.clear()
        self._sock.close()

    def fileno(self) -> int:
        return self._sock.fileno()

    def gettimeout(self) -> float:
        return 0.0

    def settimeout(self, seconds: float | None) -> None:
        """Never waits."""

    def setblocking(self, flag: Any) -> None:
        """Never blocks."""


class Nowhere:
    """What stands for a socket that is another's by now: whatever is done to it is in vain."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        return b""

    def send(self, data: bytes | bytearray, flags: int = 0) -> int:
        return len(data)

    def shutdown(self, how: int) -> None:
        """Shutting the given one down would cut off its client."""

    def close(self) -> None:
        """Nothing is open."""

    def fileno(self) -> int:
        return -1
