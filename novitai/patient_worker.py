"""gunicorn's threaded worker, whose threads do not wait for clients.

Threads get requests that have come in full, and what of an answer is not taken at once is not
theirs. All waiting for clients is the main loop's, which can wait for a thousand at a time.
"""

import socket
import time
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn.http.errors import InvalidHeader
from gunicorn.workers.gthread import ThreadWorker

from novitai.client_socket import SEND_SECONDS, ClientSocket
from novitai.config import load_config
from novitai.parking import ParkingLot

# So long a thread waits for its client's next request after all: the way through the main loop
# takes both of them several turns at the interpreter lock.
_LINGER_MILLISECONDS = 2
# So long a process with work at hand leaves a new connection to the others, for each that it has.
_PAUSE_SECONDS = 0.0005
_LONGEST_PAUSE = 0.002
# So long a client has after its last answer to close first.
_PARTING_SECONDS = 2.0
# When those who wait hold so much memory in all, one with much of it is let go.
_MOST_PARKED_BYTES = 67_108_864
_MUCH_BYTES = 16_384


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """See above."""

    lot: ParkingLot

    def run(self) -> None:
        self.lot = ParkingLot(self.poller)
        super().run()

    # In the main loop

    def accept(self, listener: Any) -> None:
        """Whoever has less to do is quicker. Without this the process that wakes first takes all
        connections of a burst, and keeps them while the others idle.
        """
        if self.nr_conns > 0:
            time.sleep(min(self.nr_conns * _PAUSE_SECONDS, _LONGEST_PAUSE))
        super().accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        """For a connection that is new, or that its client has begun to use again."""
        if not isinstance(conn.sock, ClientSocket):
            conn.sock = ClientSocket(conn.sock, load_config().max_body_bytes)
            conn.data_ready = True
        if conn.sock.gather():
            self._hand_over(conn)
        else:
            seconds = load_config().web_read_timeout
            self.lot.park(conn, EVENT_READ, seconds, self._has_come, self._hand_over)

    def _has_come(self, conn: Any) -> bool:
        return bool(conn.sock.gather()) or self._is_too_heavy(conn)

    def _is_too_heavy(self, conn: Any) -> bool:
        return conn.sock.weight > _MUCH_BYTES and self.lot.weight() > _MOST_PARKED_BYTES

    def _hand_over(self, conn: Any) -> None:
        """A thread reads what has come. If that is not all, it refuses it."""
        if conn.sock.has_begun:
            super().enqueue_req(conn)
        else:
            self._drop(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        go_on = partial(self._go_on, fs=fs, is_kept=self._is_kept(fs))
        if conn.sock.is_given_away or self._is_too_heavy(conn):
            self._drop(conn)
        elif conn.sock.has_unsent:
            self.lot.park(conn, EVENT_WRITE, SEND_SECONDS, _push, go_on)
        else:
            go_on(conn)

    def _is_kept(self, fs: Any) -> bool:
        if not fs.cancelled() and fs.exception() is not None:
            self.log.error("A thread could not end what it began", exc_info=fs.exception())
            return False
        return not fs.cancelled() and fs.result() is True

    def _go_on(self, conn: Any, *, fs: Any, is_kept: bool) -> None:
        """The answer is out, unless its client did not take it in time."""
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
            self.lot.park(conn, EVENT_READ, _PARTING_SECONDS, _drain, self._drop)

    def _drop(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        super().murder_pending()
        self.lot.sweep()

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that stops waits for nobody longer than for those with nothing to say."""
        super()._cap_keepalive(deadline)
        self.lot.hurry(deadline - time.monotonic())

    # In a thread

    def handle(self, conn: Any) -> Any:
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
        return result

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Raises InvalidHeader for HTTP/1.1 without its Host (RFC 9112, 3.2)."""
        if req.version >= (1, 1):
            req.version = (1, 1)
            if not any(name == "HOST" for name, _ in req.headers):
                raise InvalidHeader("HOST")
        if not conn.sock.is_whole:
            req.force_close()
        return super().handle_request(req, conn)


def _push(conn: Any) -> bool:
    return bool(conn.sock.push())


def _drain(conn: Any) -> bool:
    return bool(conn.sock.drain())
