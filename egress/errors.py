"""Errors between us and a server, before the content of an answer is read.

TransportError
├── ConnectFailed        no request byte left this machine: the server cannot have acted
│   ├── InvalidTarget    the URL is not valid
│   ├── NameNotResolved  DNS has no address for the host
│   ├── AddressRefused   the host has addresses, but the guard refuses all of them
│   ├── ProxyRefused     the egress proxy does not allow the host
│   └── TlsFailed        the handshake failed
│       └── CertificateRefused  the certificate does not prove the host's name
├── ExchangeTimeout      the total deadline passed; `is_sent` says whether the server may have acted
├── ConnectionLost       reset or closed after the first byte was sent
├── BrokenResponse       the answer is not HTTP, or does not belong to the request
│   └── HeadTooLarge     the headers are longer than the limit
└── BodyTooLarge         the body, or its framing, is longer than the limit
"""


class TransportError(Exception):
    """Base class. `is_sent`: true from the first request byte that was given to the kernel.

    `address` is what was connected to, as `192.0.2.1:443`; empty if nothing was.
    """

    address: str = ""

    def __init__(self, message: str, *, is_sent: bool = True) -> None:
        super().__init__(message)
        self.is_sent = is_sent


class ConnectFailed(TransportError):
    """No connection was made, so the outcome is known: the server has not acted."""

    def __init__(self, message: str) -> None:
        super().__init__(message, is_sent=False)


class InvalidTarget(ConnectFailed):
    """The URL has no usable host and port."""


class NameNotResolved(ConnectFailed):
    """DNS gave no address."""


class AddressRefused(ConnectFailed):
    """The guard refused every address of the host."""


class ProxyRefused(ConnectFailed):
    """The egress proxy does not allow a connection to this host."""


class TlsFailed(ConnectFailed):
    """The handshake failed."""


class CertificateRefused(TlsFailed):
    """The certificate is expired, of an unknown authority or for another host."""


class ExchangeTimeout(TransportError):
    """The total time for connect, request, headers and body has passed."""


class ConnectionLost(TransportError):
    """The connection broke after the first byte was sent.

    `is_stale` marks the harmless case: a kept-alive connection that the server had closed before,
    noticed by writing to it. A read may be repeated then; a create must not.
    """

    def __init__(self, message: str, *, is_stale: bool = False) -> None:
        super().__init__(message)
        self.is_stale = is_stale


class BrokenResponse(TransportError):
    """The answer is not an HTTP response."""


class HeadTooLarge(BrokenResponse):
    """The headers, those of interim answers included, are longer than the limit."""


class BodyTooLarge(TransportError):
    """The body, decompressed, is longer than the caller's limit."""
