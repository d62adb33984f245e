"""The `NetworkBackend` for httpcore, limited by the deadline of the current exchange.

Before each connect, send and receive, the socket's timeout is set to the time left for the whole
exchange; httpcore's own timeouts are per step and are ignored. This needs no watchdog thread, so a
fork loses nothing and nothing leaks. OpenSSL applies a socket's timeout to a whole handshake or
record, so TLS is limited as well.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterable
from typing import Any

from httpcore2 import SOCKET_OPTION, NetworkBackend, NetworkStream, WriteError

from egress.dns import Address, resolve
from egress.errors import (
    AddressRefused,
    CertificateRefused,
    ConnectFailed,
    ExchangeTimeout,
    TlsFailed,
)
from egress.exchange import Deadline, Guard, current_exchange
from egress.proxy import Proxy, ask_for_tunnel


class DeadlineBackend(NetworkBackend):
    """Opens connections for the current exchange, directly or through a proxy.

    Behind a proxy the exchange's guard is not asked: the proxy resolves the name and decides.
    """

    def __init__(self, proxy: Proxy | None = None) -> None:
        self._proxy = proxy

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        exchange = current_exchange()
        exchange.is_connection_fresh = True
        if self._proxy is not None:
            return _DeadlineStream(_tunnel(self._proxy, host, port, exchange.deadline))
        sock, exchange.address = _opened(host, port, exchange.deadline, exchange.guard)
        return _DeadlineStream(sock)


class _DeadlineStream(NetworkStream):
    """One connection, plain or TLS, that serves one exchange after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        exchange = current_exchange()
        most = exchange.next_receive(max_bytes)
        self._sock.settimeout(exchange.remaining())
        try:
            data = self._sock.recv(most)
        except OSError as error:
            raise exchange.broken(error) from None
        exchange.note_received(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises httpcore's WriteError: httpcore then reads an answer sent before the close."""
        exchange = current_exchange()
        view = memoryview(buffer)
        while view:
            self._sock.settimeout(exchange.remaining())
            exchange.has_sent = True
            try:
                view = view[self._sock.send(view) :]
            except TimeoutError as error:
                raise exchange.broken(error) from None
            except OSError:
                raise WriteError from None

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> NetworkStream:
        exchange = current_exchange()
        try:
            self._sock.settimeout(exchange.remaining())
            secured = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
        except TimeoutError:
            raise exchange.deadline.expired(is_sent=False) from None
        except ssl.SSLCertVerificationError as error:
            raise CertificateRefused(f"TLS failed: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise TlsFailed(f"TLS failed: {error.reason}") from None
        except (OSError, ValueError) as error:
            raise ConnectFailed(f"TLS failed: {type(error).__name__}") from None
        finally:
            # After wrap_socket this object is empty, even if the handshake failed.
            self._sock.close()
        return _DeadlineStream(secured)

    def close(self) -> None:
        self._sock.close()

    def __del__(self) -> None:
        """Needed because httpcore's pool closes nothing when it is dropped, as after a fork."""
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` of an idle connection means that the server has closed it."""
        if info != "is_readable":
            return None
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))


def open_socket(host: str, port: int, deadline: Deadline, guard: Guard | None) -> socket.socket:
    """A connection to the first address that is allowed and answers. Uses the network.

    The address that the guard checked is the one connected to, so a name that resolves to another
    address the next time (DNS rebinding) has no effect. Raises ConnectFailed and its subclasses,
    and ExchangeTimeout.
    """
    return _opened(host, port, deadline, guard)[0]


def _tunnel(proxy: Proxy, host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connection to the host through the proxy, whose own address is not for customers."""
    try:
        sock = open_socket(proxy.host, proxy.port, deadline, None)
    except ConnectFailed:
        raise ConnectFailed("the egress proxy cannot be reached") from None
    try:
        ask_for_tunnel(sock, proxy, host, port, deadline)
    except (ConnectFailed, ExchangeTimeout):
        sock.close()
        raise
    return sock


def _opened(
    host: str, port: int, deadline: Deadline, guard: Guard | None
) -> tuple[socket.socket, str]:
    """The connection and its address."""
    found = resolve(host, port, deadline, is_stranger=guard is not None)
    addresses = _allowed(host, found, guard)
    failure: OSError = OSError("no address")
    for index, address in enumerate(addresses):
        # Equal time for each address: one that drops packets must not use the time of the others.
        share = deadline.remaining(is_sent=False) / (len(addresses) - index)
        try:
            return _connect(address, share), address.text
        except OSError as error:
            failure = error
    if isinstance(failure, TimeoutError):
        raise deadline.expired(is_sent=False)
    raise ConnectFailed(f"cannot connect to {host}:{port}: {failure.strerror or failure}")


def _allowed(host: str, addresses: list[Address], guard: Guard | None) -> list[Address]:
    if guard is None:
        return addresses
    reasons = [guard(address.ip) for address in addresses]
    allowed = [address for address, why in zip(addresses, reasons, strict=True) if why is None]
    if not allowed:
        raise AddressRefused(f"{host} is not allowed: {reasons[0]}")
    return allowed


def _connect(address: Address, timeout: float) -> socket.socket:
    sock = socket.socket(address.family, address.kind, address.protocol)
    try:
        sock.settimeout(timeout)
        sock.connect(address.sockaddr)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock
