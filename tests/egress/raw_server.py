"""A server that speaks exactly the bytes that a test tells it to."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_LONG = 10.0  # Ends a test that would otherwise hang; no test waits for it when it passes.


@dataclass
class Peer:
    """One accepted connection, in its own thread."""

    sock: socket.socket
    number: int
    server: RawServer

    def read_request(self) -> bytes:
        """One request with its body; b"" when the client has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (chunk := self.sock.recv(65536)):
                return b""
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        while len(body) < length:
            body += self.sock.recv(65536)
        self.server.requests.append(head + b"\r\n\r\n" + body)
        return head + b"\r\n\r\n" + body

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, body: bytes = b"{}", status: str = "200 OK", headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.send(head.encode() + body)

    def drip(self, data: bytes) -> None:
        """A byte every 20 ms: much faster than any timeout per read, and never done."""
        for byte in data:
            self.send(bytes([byte]))
            if self.server.stop.wait(0.02):
                return

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def hang(self) -> None:
        self.server.stop.wait(_LONG)


Script = Callable[[Peer], None]


@dataclass
class RawServer:
    listener: socket.socket
    script: Script
    tls: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    accepted: int = 0
    threads: list[threading.Thread] = field(default_factory=list)
    socks: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def accept_all(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(_LONG)
            self.accepted += 1
            self.socks.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock, self.accepted))
            self.threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            self.script(Peer(sock, number, self))
        except OSError:
            pass  # The client went away, which is what many tests are about.
        finally:
            sock.close()


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    server = RawServer(socket.create_server(("127.0.0.1", 0)), script, tls)
    acceptor = threading.Thread(target=server.accept_all)
    acceptor.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        acceptor.join(_LONG)
        for sock in server.socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in server.threads:
            thread.join(_LONG)
            assert not thread.is_alive()


def polite(peer: Peer) -> None:
    """Answers every request on a connection that stays open."""
    while peer.read_request():
        peer.answer()
