"""gunicorn's threaded worker, whose threads do not wait for clients.

Threads get requests that have come in full, and what of an answer is not taken at once is not
theirs. All waiting for clients is the main loop's, which can wait for thousands at a time.
"""

import errno
import socket
import time
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn.http.errors import InvalidHeader, ParseException
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from novitai.env.config import load_config
from novitai.server.arriving import UNREADABLE_BODY
from novitai.server.client_socket import SEND_SECONDS, ClientSocket
from novitai.server.parking import ParkingLot, Scales
from novitai.server.single_headers import repeated_line

# So long a thread waits for its client's next request after all: the way through the main loop
# takes both of them several turns at the interpreter lock.
_LINGER_MILLISECONDS = 2
# So long a process with work at hand leaves a new connection to the others, for each that it has,
# for two milliseconds at most, and for so much of each second.
_PAUSE_SECONDS = 0.0005
_LONGEST_PAUSE = 0.002
_PAUSES_A_SECOND = 0.05
# This part of the places for connections is kept free.
_PART_KEPT_FREE = 20
# So long a client has after its last answer to close first.
_PARTING_SECONDS = 2.0
# When clients hold so much memory in all, those with much of it are let go, the heaviest first.
_MOST_BYTES = 67_108_864
_MUCH_BYTES = 16_384


class RepeatedHeader(ParseException):  # type: ignore[misc]
    """A header that must be single stands in more than one line; ``name`` is one that we know."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """See above. What is not said to run in a thread runs in the main loop."""

    def run(self) -> None:
        config = load_config()
        self._body_limit, self._read_seconds = config.max_body_bytes, config.web_read_timeout
        self._lot, self._scales = ParkingLot(self.poller), Scales()
        self._second, self._paused = 0.0, 0.0
        super().run()

    def accept(self, listener: Any) -> None:
        """Whoever has less to do is quicker. Without this the process that wakes first takes all
        connections of a burst, and keeps them while the others idle.
        """
        self._pause()
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            self.log.error("No file is left for another connection")
            time.sleep(_PAUSES_A_SECOND)

    def _pause(self) -> None:
        if time.monotonic() - self._second > 1:
            self._second, self._paused = time.monotonic(), 0.0
        pause = min(self.nr_conns * _PAUSE_SECONDS, _LONGEST_PAUSE)
        if 0 < pause <= _PAUSES_A_SECOND - self._paused:
            self._paused += pause
            time.sleep(pause)

    def enqueue_req(self, conn: Any) -> None:
        """For a connection that is new, or that its client has begun to use again."""
        if not isinstance(conn.sock, ClientSocket):
            conn.sock = ClientSocket(conn.sock, self._body_limit)
            conn.data_ready = True
        if self._has_come(conn):
            self._hand_over(conn)
        else:
            seconds = self._read_seconds if self.alive else STOP_KEEPALIVE_LINGER
            self._lot.park(conn, EVENT_READ, seconds, self._has_come, self._hand_over)

    def _has_come(self, conn: Any) -> bool:
        has_come: bool = conn.sock.gather()
        self._scales.weigh(conn)
        return has_come

    def _hand_over(self, conn: Any) -> None:
        """A thread reads what has come. If that is not all, it refuses it."""
        self._relieve()
        is_heavy = self._scales.total > _MOST_BYTES and conn.sock.weight > _MUCH_BYTES
        if is_heavy or not conn.sock.has_begun:
            self._drop(conn)
        else:
            super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        self._scales.weigh(conn)
        go_on = partial(self._go_on, fs=fs, is_kept=self._is_kept(fs))
        if conn.sock.is_given_away:
            self._drop(conn)
        elif conn.sock.has_unsent and (seconds := conn.sock.held_seconds):
            self._lot.set_aside(conn, seconds, partial(self.finish_request, fs=fs))
        elif conn.sock.has_unsent:
            self._lot.park(conn, EVENT_WRITE, SEND_SECONDS, self._is_taken, go_on)
        else:
            go_on(conn)

    def _is_kept(self, fs: Any) -> bool:
        if not fs.cancelled() and fs.exception() is not None:
            self.log.error("A thread could not end what it began", exc_info=fs.exception())
            return False
        return not fs.cancelled() and fs.result() is True

    def _is_taken(self, conn: Any) -> bool:
        is_taken: bool = conn.sock.push()
        self._scales.weigh(conn)
        return is_taken

    def _go_on(self, conn: Any, *, fs: Any, is_kept: bool) -> None:
        """The answer is out, unless its client took nothing of it for long."""
        if conn.sock.has_unsent:
            self._drop(conn)
        elif not is_kept:
            self._part_with(conn)
        elif conn.sock.has_begun:
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def _part_with(self, conn: Any) -> None:
        """Closing while the client still sends would reset the connection, and an answer on its way
        would be lost (RFC 9112, 9.6).
        """
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
        else:
            self._lot.park(conn, EVENT_READ, _PARTING_SECONDS, _is_drained, self._drop)

    def _drop(self, conn: Any) -> None:
        self._scales.forget(conn)
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """Once in each turn of the loop."""
        super().murder_pending()
        self._lot.sweep()
        self._relieve()
        self._make_room()

    def _make_room(self) -> None:
        """Let the next ones connect: a flood of clients that say nothing would keep them out. A
        request that comes in one piece is here for milliseconds, so whoever has waited longest for
        its client is the least likely to be one.
        """
        least_free = self.worker_connections // _PART_KEPT_FREE
        while self.nr_conns > self.worker_connections - least_free and (
            conn := self._lot.evict_longest_waiting()
        ):
            self._drop(conn)

    def _relieve(self) -> None:
        while self._scales.total > _MOST_BYTES and (conn := self._lot.evict_heaviest(_MUCH_BYTES)):
            self.log.warning("Let go of a client: too much memory is held by all of them")
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that stops waits for nobody longer than for those with nothing to say."""
        super()._cap_keepalive(deadline)
        self._lot.hurry(deadline - time.monotonic())

    def handle(self, conn: Any) -> Any:
        """Runs in a thread."""
        result = self._handle_one(conn)
        while result is True and self._is_next_here(conn):
            result = self._handle_one(conn)
        return result

    def _is_next_here(self, conn: Any) -> bool:
        """Whoever waits for a thread goes first."""
        is_idle = self.alive and self.tpool._work_queue.empty()
        return is_idle and bool(conn.sock.gather_within(_LINGER_MILLISECONDS))

    def _handle_one(self, conn: Any) -> Any:
        result = super().handle(conn)
        # Whoever has the socket now closes it, and this connection is over.
        if conn.sock.is_given_away:
            return False
        conn.sock.push()
        if result is True:
            conn.sock.begin_next()
        else:
            conn.sock.read_no_more()
        return result

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Runs in a thread. Raises InvalidHeader for HTTP/1.1 without its Host (RFC 9112, 3.2), and
        RepeatedHeader.
        """
        if name := repeated_line(name for name, _ in req.headers):
            raise RepeatedHeader(name)
        if req.version >= (1, 1):
            req.version = (1, 1)
            if not any(name == "HOST" for name, _ in req.headers):
                raise InvalidHeader("HOST")
        if not conn.sock.is_clean or _asks_to_close(req):
            req.force_close()
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """Runs in a thread. All of the body is here, however long, so skipping it takes no time."""
        try:
            return keepalive and bool(conn.parser.finish_body())
        except UNREADABLE_BODY:
            return False


def _asks_to_close(req: Any) -> bool:
    """As one of several options, or in one of several lines (RFC 9112, 9.6)."""
    options = ",".join(value for name, value in req.headers if name == "CONNECTION")
    return "close" in (option.strip().lower() for option in options.split(","))


def _is_drained(conn: Any) -> bool:
    return bool(conn.sock.drain())
