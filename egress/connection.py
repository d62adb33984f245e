"""urllib3 connections whose every blocking step takes its timeout from the exchange's deadline.

Before each connect, send and receive, the socket's timeout is set to what is left of the whole
exchange. That needs no watchdog thread, so nothing is lost in a fork and nothing leaks; and
OpenSSL applies a socket's timeout to a whole handshake or record, so TLS is bounded as well.
"""

from __future__ import annotations

import http.client
import io
import socket
import sys
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from egress.dns import Address, resolve
from egress.errors import AddressRefused, BodyTooLarge, ConnectFailed
from egress.exchange import Exchange, WireLimits, current_exchange
from egress.heads import HeadCollector

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_RECEIVE_BYTES = 16_384
# What http.client reads of a line at most.
_LINE_BYTES = 65_537


class _DeadlineReader(io.RawIOBase):
    """The raw end of a response: one receive at a time, each with the time that is left, and no
    more of them than the exchange's limits allow. Hands on the final answer only.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, exchange: Exchange) -> None:
        self._raw = raw
        self._sock = sock
        self._exchange = exchange
        self._collector: HeadCollector | None = HeadCollector()
        self._ready = memoryview(b"")
        self._receives = 0
        self._body_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        target = memoryview(buffer).cast("B")
        if self._collector is not None:
            self._ready = memoryview(self._collected(self._collector))
            self._collector = None
        if not self._ready:
            count = self._receive(target)
            self._body_bytes += count
            self._refuse_excess(self._body_bytes, self._exchange.limits.body_bytes, "bytes")
            return count
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _collected(self, collector: HeadCollector) -> bytes:
        buffer = bytearray(_RECEIVE_BYTES)
        while count := self._receive(memoryview(buffer)):
            if (head := collector.feed(bytes(buffer[:count]))) is not None:
                return head
        return collector.rest()

    def _receive(self, target: memoryview) -> int:
        self._sock.settimeout(self._exchange.remaining())
        count = self._raw.readinto(target) or 0
        self._exchange.has_received = self._exchange.has_received or bool(count)
        self._receives += 1
        self._refuse_excess(self._receives, self._exchange.limits.receives, "pieces")
        return count

    def _refuse_excess(self, count: int, most: int | None, what: str) -> None:
        if most is not None and count > most:
            raise BodyTooLarge(f"an answer of more than {most:,} {what}")

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            super().close()


class _LineReader(io.BufferedReader):
    """What http.client and urllib3 read from; a line has a bound even where they set none."""

    def __init__(self, raw: _DeadlineReader, limits: WireLimits) -> None:
        super().__init__(raw)
        self._most_lines = limits.lines
        self._lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        self._lines += 1
        if self._most_lines is not None and self._lines > self._most_lines:
            raise BodyTooLarge(f"an answer of more than {self._most_lines:,} lines")
        is_bounded = size is not None and 0 <= size <= _LINE_BYTES
        return super().readline(size if is_bounded else _LINE_BYTES)


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        exchange = current_exchange()
        raw = self.fp.detach()
        self.fp = _LineReader(_DeadlineReader(raw, sock, exchange), exchange.limits)


class DeadlineHTTPConnection(HTTPConnection):
    """Plain HTTP."""

    response_class = _DeadlineResponse

    def _new_conn(self) -> socket.socket:
        exchange = current_exchange()
        exchange.is_connection_fresh = True
        sock = _open_socket(self._dns_host.strip("[]"), self.port, exchange)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sys.audit("http.client.connect", self, self.host, self.port)
        return sock

    def send(self, data: Any) -> None:
        """Only bytes: `sendall` on a TLS socket grants the full timeout to every record."""
        if self.sock is None:
            self.connect()
        exchange = current_exchange()
        view = memoryview(data)
        while view:
            self.sock.settimeout(exchange.remaining())
            exchange.has_sent = True
            view = view[self.sock.send(view) :]


class DeadlineHTTPSConnection(DeadlineHTTPConnection, HTTPSConnection):
    """HTTPS: name indication and certificate check keep the host's name, whatever the address."""


class DeadlineHTTPConnectionPool(HTTPConnectionPool):
    """A pool of plain connections."""

    ConnectionCls = DeadlineHTTPConnection


class DeadlineHTTPSConnectionPool(HTTPSConnectionPool):
    """A pool of TLS connections."""

    ConnectionCls = DeadlineHTTPSConnection


def _open_socket(host: str, port: int, exchange: Exchange) -> socket.socket:
    """Connect to the first address that is allowed and answers.

    The address that the guard saw is the address connected to, so a name that resolves
    differently the next time (DNS rebinding) gains nothing.
    """
    found = resolve(host, port, exchange.deadline, is_stranger=exchange.guard is not None)
    addresses = _allowed(host, found, exchange)
    failure: OSError = OSError("no address")
    for index, address in enumerate(addresses):
        # An equal share for each address: one that swallows packets must not starve the others.
        share = exchange.remaining() / (len(addresses) - index)
        try:
            return _connect(address, share, exchange)
        except OSError as error:
            failure = error
    if isinstance(failure, TimeoutError):
        raise exchange.deadline.expired(is_sent=False)
    raise ConnectFailed(f"cannot connect to {host}:{port}: {failure.strerror or failure}")


def _allowed(host: str, addresses: list[Address], exchange: Exchange) -> list[Address]:
    if exchange.guard is None:
        return addresses
    reasons = [exchange.guard(address.ip) for address in addresses]
    allowed = [address for address, why in zip(addresses, reasons, strict=True) if why is None]
    if not allowed:
        raise AddressRefused(f"{host} is not allowed: {reasons[0]}")
    return allowed


def _connect(address: Address, timeout: float, exchange: Exchange) -> socket.socket:
    sock = socket.socket(address.family, address.kind, address.protocol)
    try:
        sock.settimeout(timeout)
        sock.connect(address.sockaddr)
        # What follows, a TLS handshake perhaps, has all that is left and not only the share.
        sock.settimeout(exchange.remaining())
    except BaseException:
        sock.close()
        raise
    return sock
