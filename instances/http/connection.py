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

from instances.http.errors import AddressRefused, ConnectFailed
from instances.http.exchange import Exchange, current_exchange
from instances.http.resolve import Address, resolve

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _DeadlineReader(io.RawIOBase):
    """The raw end of a response: one receive at a time, each with the time that is left."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, exchange: Exchange) -> None:
        self._raw = raw
        self._sock = sock
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(self._exchange.remaining())
        count = self._raw.readinto(buffer)
        self._exchange.has_received = self._exchange.has_received or bool(count)
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_DeadlineReader(raw, sock, current_exchange()))


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
