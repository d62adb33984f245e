"""What can go wrong between us and a server, before anybody has read the answer.

TransportError
├── ConnectFailed        no request byte left this machine: the server cannot have acted
│   ├── InvalidTarget    the URL names nothing that can be connected to
│   ├── NameNotResolved  DNS has no address for the host
│   ├── AddressRefused   the host has addresses, and the guard allows none of them
│   └── TlsFailed        handshake or certificate
├── ExchangeTimeout      the total deadline passed; `is_sent` says whether the server may have acted
├── ConnectionLost       reset or closed after we had begun to send
├── BrokenResponse       what came back is not HTTP, or not an answer to what was asked
│   └── HeadTooLarge     the headers passed the cap
└── BodyTooLarge         the body, or its framing, passed the cap
"""


class TransportError(Exception):
    """Base of this package; `is_sent` is true from the first request byte handed to the kernel."""

    def __init__(self, message: str, *, is_sent: bool = True) -> None:
        super().__init__(message)
        self.is_sent = is_sent


class ConnectFailed(TransportError):
    """No connection was made, so the outcome of the request is known: nothing happened."""

    def __init__(self, message: str) -> None:
        super().__init__(message, is_sent=False)


class InvalidTarget(ConnectFailed):
    """The URL cannot be turned into a host and a port."""


class NameNotResolved(ConnectFailed):
    """DNS gave no address."""


class AddressRefused(ConnectFailed):
    """A guard forbade every address that the host resolves to."""


class TlsFailed(ConnectFailed):
    """The handshake failed or the certificate does not prove the host's name."""


class ExchangeTimeout(TransportError):
    """The total time allowed for connect, request, headers and body is over."""


class ConnectionLost(TransportError):
    """The connection broke after sending had begun.

    `is_stale` marks the harmless kind: a kept-alive connection that the server had already
    closed, found out by writing to it. A read may be repeated then; a create must not.
    """

    def __init__(self, message: str, *, is_stale: bool = False) -> None:
        super().__init__(message)
        self.is_stale = is_stale


class BrokenResponse(TransportError):
    """The server answered with something that is not an HTTP response."""


class HeadTooLarge(BrokenResponse):
    """The heads of the answer and of interim answers have more bytes than we read."""


class BodyTooLarge(TransportError):
    """The response body, decompressed, exceeds what the caller is ready to hold in memory."""
