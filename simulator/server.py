"""The HTTP side: keep-alive connections, one thread each, and faults acted out on the socket."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from simulator.api import Answer
from simulator.faults import Fault
from simulator.http import Request, Response

MAX_BODY_BYTES = 4 * 1024 * 1024
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Server(ThreadingHTTPServer):
    """Carries requests to `answer`; `stopping` ends hangs and drips early."""

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
        """A client that goes away is no news; anything else is a bug worth a traceback."""
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
            self._send(Response(413), self.wfile.write)
            return
        body = self.rfile.read(length)
        request = Request.parse(self.command, self.path, dict(self.headers.items()), body)
        self._reply(self.server.answer(request))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def _reply(self, answer: Answer) -> None:
        fault = answer.fault
        if fault is None or fault.effect not in ("reset", "close", "hang", "drip"):
            self._send(answer.response, self.wfile.write)
        elif fault.effect == "drip":
            self._send(answer.response, lambda data: self._drip(data, fault))
        else:
            self._sever(fault)

    def _send(self, response: Response, write: Callable[[bytes], object]) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        write(response.body)

    def _drip(self, data: bytes, fault: Fault) -> None:
        """Slow enough to outlive any timeout that counts from the last byte read."""
        self.wfile.flush()
        for start in range(0, len(data), fault.drip_bytes):
            self.wfile.write(data[start : start + fault.drip_bytes])
            self.wfile.flush()
            if self.server.stopping.wait(fault.drip_seconds):
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


def reset(connection: socket.socket) -> None:
    """Close at once with RST: closing the descriptor itself forestalls the polite shutdown."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    os.close(connection.detach())
