"""A TCP proxy with faults on demand, in front of Postgres or Novita.

Two threads for each connection: a suite has a few dozen connections, and a waiting thread is the
simplest way to delay bytes.
"""

import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

CHUNK_BYTES = 65_536
# Interval at which a blacked-out line checks whether the blackout is over.
POLL_SECONDS = 0.02
# SO_LINGER with time 0: close sends RST instead of FIN (socket(7)).
_ABORT = struct.pack("ii", 1, 0)

Address = tuple[str, int] | str


@dataclass(eq=False)
class _Line:
    """One connection through the proxy."""

    client: socket.socket
    server: socket.socket
    has_ended: threading.Event = field(default_factory=threading.Event)

    def abort(self) -> None:
        """Send RST to both sides, as a firewall does that forgot the connection."""
        self.has_ended.set()
        for side in (self.client, self.server):
            with suppress(OSError):
                if side.family == socket.AF_INET:
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            _wake_and_close(side)

    def half_close(self) -> None:
        """Tell the client that no more data comes; data that it sends still arrives."""
        with suppress(OSError):
            self.client.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.has_ended.set()
        for side in (self.client, self.server):
            _wake_and_close(side)


class Proxy:
    """Listens on 127.0.0.1 and forwards everything, with the faults that were set."""

    def __init__(self, target: Address) -> None:
        """``target``: host and port, or the path of a Unix socket."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lines: set[_Line] = set()
        self._guard = threading.Lock()
        self._is_closing = threading.Event()
        self._dark_until = 0.0
        self._latency_seconds = 0.0
        self.connections = 0

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing.set()
        _wake_and_close(self._listener)
        for line in self._open_lines():
            line.close()

    # Faults

    def set_latency(self, seconds: float) -> None:
        """Delay all data by this time, in each direction."""
        self._latency_seconds = seconds

    def reset(self) -> int:
        """Abort every connection; returns how many."""
        lines = self._open_lines()
        for line in lines:
            line.abort()
        return len(lines)

    def half_close(self) -> int:
        lines = self._open_lines()
        for line in lines:
            line.half_close()
        return len(lines)

    def black_out(self, seconds: float) -> None:
        """Forward nothing, without an error; data sent meanwhile arrives afterwards."""
        self._dark_until = time.monotonic() + seconds

    def heal(self) -> None:
        self._dark_until = 0.0
        self._latency_seconds = 0.0

    # Forwarding

    def _open_lines(self) -> list[_Line]:
        with self._guard:
            return list(self._lines)

    def _accept(self) -> None:
        while not self._is_closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self.connections += 1
        self._wait_for_light(None)
        try:
            server = self._connect()
        except OSError:
            # Nobody listens: reset, as the kernel would do for a direct connection.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            client.close()
            return
        line = _Line(client, server)
        with self._guard:
            self._lines.add(line)
        upward = threading.Thread(target=self._pump, args=(line, client, server), daemon=True)
        upward.start()
        self._pump(line, server, client)
        upward.join()
        line.close()
        with self._guard:
            self._lines.discard(line)

    def _connect(self) -> socket.socket:
        if isinstance(self._target, tuple):
            return socket.create_connection(self._target, timeout=None)
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target)
        return server

    def _pump(self, line: _Line, source: socket.socket, sink: socket.socket) -> None:
        """Forward until one side has closed; then close the other side."""
        try:
            while data := source.recv(CHUNK_BYTES):
                self._hold_back(line)
                if line.has_ended.is_set():
                    return
                sink.sendall(data)
            self._hold_back(line)
            # An abort wakes this thread like a close does: FIN must not be sent before its RST.
            if not line.has_ended.is_set():
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            line.abort()

    def _hold_back(self, line: _Line) -> None:
        if self._latency_seconds:
            line.has_ended.wait(self._latency_seconds)
        self._wait_for_light(line)

    def _wait_for_light(self, line: _Line | None) -> None:
        while time.monotonic() < self._dark_until and not self._is_closing.is_set():
            if line is not None and line.has_ended.is_set():
                return
            time.sleep(POLL_SECONDS)


def _wake_and_close(side: socket.socket) -> None:
    """A thread in ``recv`` or ``accept`` is woken by a shutdown, not by a close.

    On a connection that is to be aborted, a full shutdown would send FIN before the RST, so only
    the reading half is shut down.
    """
    with suppress(OSError):
        side.shutdown(socket.SHUT_RD)
    with suppress(OSError):
        side.close()
