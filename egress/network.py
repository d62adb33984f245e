"""The network under httpcore (its `NetworkBackend`), bounded by the exchange that is going on.

Before each connect, send and receive, the socket's timeout is set to what is left of the whole
exchange; httpcore's own timeouts are per step and are ignored. That needs no watchdog thread, so
nothing is lost in a fork and nothing leaks; and OpenSSL applies a socket's timeout to a whole
handshake or record, so TLS is bounded as well.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterable
from typing import Any

from httpcore2 import SOCKET_OPTION, NetworkBackend, NetworkStream, WriteError

from egress.dns import Address, resolve
from egress.errors import AddressRefused, ConnectFailed, TlsFailed
from egress.exchange import Deadline, Guard, current_exchange


class DeadlineBackend(NetworkBackend):
    """Opens connections for the current exchange. Without state: one serves all."""

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
        return _DeadlineStream(open_socket(host, port, exchange.deadline, exchange.guard))


class _DeadlineStream(NetworkStream):
    """One connection, plain or TLS, which serves one exchange after the other."""

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
        """Raises httpcore's WriteError: it then reads what the server said before it closed."""
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
        except ssl.SSLError as error:
            words = getattr(error, "verify_message", "") or error.reason
            raise TlsFailed(f"TLS failed: {words}") from None
        except (OSError, ValueError) as error:
            raise ConnectFailed(f"TLS failed: {type(error).__name__}") from None
        finally:
            # After wrap_socket this is an empty shell, whatever became of the handshake.
            self._sock.close()
        return _DeadlineStream(secured)

    def close(self) -> None:
        self._sock.close()

    def __del__(self) -> None:
        """httpcore's pool closes nothing when it is dropped, as after a fork."""
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` of an idle connection: the server has closed it."""
        if info != "is_readable":
            return None
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))


def open_socket(host: str, port: int, deadline: Deadline, guard: Guard | None) -> socket.socket:
    """A connection to the first address that is allowed and answers. Touches the network.

    The address that the guard saw is the address connected to, so a name that resolves
    differently the next time (DNS rebinding) gains nothing. Raises ConnectFailed and its
    subclasses, and ExchangeTimeout.
    """
    found = resolve(host, port, deadline, is_stranger=guard is not None)
    addresses = _allowed(host, found, guard)
    failure: OSError = OSError("no address")
    for index, address in enumerate(addresses):
        # An equal share for each address: one that swallows packets must not starve the others.
        share = deadline.remaining(is_sent=False) / (len(addresses) - index)
        try:
            return _connect(address, share)
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
