"""The HTTP server: keep-alive connections, one thread each; applies faults to the socket."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from devtools.simulator.api import Answer
from devtools.simulator.faults import Fault
from devtools.simulator.http import Request, Response

MAX_BODY_BYTES = 4 * 1024 * 1024
LOOPBACK = ("127.0.0.1", "::1")
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Server(ThreadingHTTPServer):
    """Passes requests to `answer`; `stopping` ends hangs and drips early."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(
        self,
        address: tuple[str, int],
        answer: Callable[[Request], Answer],
        stopping: threading.Event,
        *,
        verbose: bool = False,
    ) -> None:
        self.answer = answer
        self.stopping = stopping
        self.verbose = verbose
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without the reverse look-up of the host name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log no client that disconnects; any other error is a bug and gets a traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self.wfile.write(head(Response(413)))
            return
        body = self.rfile.read(length)
        if len(body) < length:
            # The client has disconnected before it sent the whole request.
            self.close_connection = True
            return
        request = Request.parse(self.command, self.path, dict(self.headers.items()), body)
        if request.path.startswith("/_") and self.client_address[0] not in LOOPBACK:
            self.wfile.write(head(Response(403)))
            return
        self._reply(self.server.answer(request))
        self.log_request()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def _reply(self, answer: Answer) -> None:
        fault, response = answer.fault, answer.response
        if fault is not None and answer.is_severed:
            self._sever(fault)
        elif fault is not None and fault.effect == "drip":
            self._drip(response, fault)
        else:
            self.wfile.write(head(response) + response.body)
            self._pad(response.pad_bytes)

    def _pad(self, size: int) -> None:
        """Write in pieces: a body of a gigabyte must not use a gigabyte of memory."""
        chunk = b" " * min(size, 65_536)
        while size > 0 and not self.server.stopping.is_set():
            self.wfile.write(chunk[:size])
            size -= len(chunk)

    def _drip(self, response: Response, fault: Fault) -> None:
        """Send slowly, so that a timeout that counts from the last byte read never expires."""
        quick, slow = head(response), response.body
        if fault.drip_headers:
            quick, slow = b"", quick + slow
        self.wfile.write(quick)
        for start in range(0, len(slow), fault.drip_bytes):
            self.wfile.write(slow[start : start + fault.drip_bytes])
            self.wfile.flush()
            if self.server.stopping.wait(fault.drip_seconds):
                self.close_connection = True
                return

    def _sever(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.effect == "hang":
            self.server.stopping.wait(fault.hang_seconds)
        if fault.effect == "reset":
            reset(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        if self.server.verbose:
            super().log_message(format, *args)


def run(server: Server, announcement: str, *, with_parent: bool) -> None:
    """Print the address and serve until SIGTERM, SIGINT or (optional) the parent's end; then close.

    The signal handler only writes to a pipe: setting an Event there would deadlock if the signal
    interrupts the main thread inside that Event's own lock.
    """
    read_end, write_end = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(write_end, b"."))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    sys.stdout.write(f"{announcement}\n")
    sys.stdout.flush()
    parent = os.getppid()
    while not select.select([read_end], [], [], 0.5)[0]:
        if with_parent and os.getppid() != parent:
            break
    server.stopping.set()
    server.shutdown()
    server.server_close()


def head(response: Response) -> bytes:
    """Status line and headers; Content-Length includes the padding."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    headers = {
        "Date": formatdate(usegmt=True),
        **response.headers,
        "Content-Length": str(len(response.body) + response.pad_bytes),
    }
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reset(connection: socket.socket) -> None:
    """Close at once with RST: closing the descriptor itself avoids the orderly shutdown."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    os.close(connection.detach())
