"""The one way out of this process over HTTP: `Transport.exchange`."""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import IncompleteRead
from urllib3.exceptions import TimeoutError as Urllib3Timeout
from urllib3.util.ssl_ import create_urllib3_context
from urllib3.util.ssl_match_hostname import CertificateError

from egress.connection import DeadlineHTTPConnectionPool, DeadlineHTTPSConnectionPool
from egress.errors import (
    BodyTooLarge,
    BrokenResponse,
    ConnectFailed,
    ConnectionLost,
    InvalidTarget,
    TlsFailed,
    TransportError,
)
from egress.exchange import Deadline, Exchange, Guard, WireLimits, exchange_scope

_CHUNK_BYTES = 16_384
# Of one exchange with a stranger: some tens of milliseconds of a processor.
_STRANGERS_FRAMING_BYTES = 16_384
_STRANGERS_RECEIVES = 2_000
_STRANGERS_LINES = 2_000
# ValueError: urllib3 lets one through for numbers in the framing that make no sense.
_NETWORK_ERRORS = (
    *(requests.RequestException, Urllib3Error, http.client.HTTPException, OSError, ValueError),
)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What to send. Header values may carry credentials, hence no repr."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    params: Mapping[str, str] | None = None

    def __repr__(self) -> str:
        return f"HttpRequest({self.method})"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete answer; `is_truncated` only where the caller allowed it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_truncated: bool = False


class _DeadlineAdapter(HTTPAdapter):
    """requests' adapter over our connections.

    Proxies are not supported, on purpose: through one, the address that a guard checks would be
    the proxy's, and the environment could divert an API key. Certificates are always verified.
    """

    def __init__(self, ssl_context: ssl.SSLContext, pool_size: int) -> None:
        self._ssl_context = ssl_context
        super().__init__(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **kwargs: Any
    ) -> None:
        self.poolmanager = PoolManager(
            num_pools=connections, maxsize=maxsize, block=block, **kwargs
        )
        self.poolmanager.pool_classes_by_scheme = {
            "http": DeadlineHTTPConnectionPool,
            "https": DeadlineHTTPSConnectionPool,
        }

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any
    ) -> HTTPConnectionPool:
        url = request.url or ""
        extra = {"ssl_context": self._ssl_context} if url.lower().startswith("https:") else {}
        pool: HTTPConnectionPool = self.poolmanager.connection_from_url(url, pool_kwargs=extra)
        return pool

    def cert_verify(self, *_args: Any, **_kwargs: Any) -> None:
        """The shared context has the certificates; loading them per connection costs 10 ms."""


class Transport:
    """Thread-safe. Keeps connections alive between exchanges, never across a fork."""

    def __init__(
        self, *, max_body_bytes: int, pool_size: int = 64, ca_bundle: str | None = None
    ) -> None:
        self.max_body_bytes = max_body_bytes
        self._pool_size = pool_size
        self._ssl_context = create_urllib3_context()
        self._ssl_context.load_verify_locations(ca_bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH)
        self._pooled = (os.getpid(), self._new_adapter())

    def exchange(
        self,
        request: HttpRequest,
        deadline: Deadline,
        *,
        is_fresh: bool = False,
        is_body_optional: bool = False,
        guard: Guard | None = None,
    ) -> HttpResponse:
        """Send one request, follow nothing, retry nothing; touches the network.

        `is_fresh` opens a connection of its own and closes it afterwards. `is_body_optional`
        is for callers to whom the status is the answer: a body that is too long, late or broken
        is then cut instead of raised. A guard needs `is_fresh`, or a connection that another
        caller was allowed to open would be taken from the pool unseen.

        Raises a TransportError.
        """
        if guard is not None and not is_fresh:
            raise ValueError("a guarded exchange must use a fresh connection")
        state = Exchange(deadline, self._limits(is_stranger=guard is not None), guard)
        with exchange_scope(state), self._adapter(is_fresh=is_fresh) as adapter:
            with _translated(state):
                response = adapter.send(_prepared(request), stream=True)
            try:
                body, is_truncated = self._body(response, state, is_body_optional)
            finally:
                response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status_code, headers, body, is_truncated)

    def _limits(self, *, is_stranger: bool) -> WireLimits:
        """A guarded exchange is one with a stranger, who may want to keep us busy."""
        if is_stranger:
            most = self.max_body_bytes + _STRANGERS_FRAMING_BYTES
            return WireLimits(most, _STRANGERS_RECEIVES, _STRANGERS_LINES)
        # A body of small chunks is several times as long as what it says.
        return WireLimits(4 * self.max_body_bytes)

    def close(self) -> None:
        """Close the idle connections; the transport stays usable."""
        self._pooled[1].close()

    def _new_adapter(self) -> _DeadlineAdapter:
        return _DeadlineAdapter(self._ssl_context, self._pool_size)

    @contextmanager
    def _adapter(self, *, is_fresh: bool) -> Iterator[_DeadlineAdapter]:
        if not is_fresh:
            yield self._pooled_adapter()
            return
        adapter = _DeadlineAdapter(self._ssl_context, 1)
        try:
            yield adapter
        finally:
            adapter.close()

    def _pooled_adapter(self) -> _DeadlineAdapter:
        owner, adapter = self._pooled
        if owner != os.getpid():
            # The parent goes on using these sockets: sharing them would mix up answers. No lock,
            # since a fork may happen while one is held; two threads here cost one spare adapter.
            adapter = self._new_adapter()
            self._pooled = (os.getpid(), adapter)
        return adapter

    def _body(
        self, response: requests.Response, state: Exchange, is_optional: bool
    ) -> tuple[bytes, bool]:
        body = bytearray()
        try:
            with _translated(state):
                for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=True):
                    body += chunk
                    if len(body) > self.max_body_bytes:
                        raise BodyTooLarge(f"body of more than {self.max_body_bytes} bytes")
        except TransportError:
            if not is_optional:
                raise
            return bytes(body[: self.max_body_bytes]), True
        return bytes(body), False


def _prepared(request: HttpRequest) -> requests.PreparedRequest:
    try:
        for name, value in request.headers.items():
            # http.client would find out only after it has connected.
            name.encode("ascii"), value.encode("latin-1")
        return requests.Request(
            request.method,
            request.url,
            headers=dict(request.headers),
            data=request.body,
            params=request.params,
        ).prepare()
    except (requests.RequestException, ValueError):
        raise InvalidTarget("the URL or a header is not valid") from None


@contextmanager
def _translated(state: Exchange) -> Iterator[None]:
    """Turn the errors of three libraries into ours.

    The causes are cut off: a requests exception carries the request, whose headers hold the key.
    """
    try:
        yield
    except TransportError:
        raise
    except _NETWORK_ERRORS as error:
        raise _transport_error(error, state) from None


def _transport_error(error: Exception, state: Exchange) -> TransportError:
    if state.deadline.is_over or isinstance(
        error, (requests.Timeout, Urllib3Timeout, TimeoutError)
    ):
        return state.deadline.expired(is_sent=state.has_sent)
    root = _root_cause(error)
    # Only the system's own words: a library's text may hold the URL and its query.
    words = getattr(root, "strerror", None) or type(root).__name__
    if not state.has_sent:
        if isinstance(root, ssl.SSLError):
            return TlsFailed(f"TLS failed: {getattr(root, 'verify_message', '') or root.reason}")
        if isinstance(root, CertificateError):
            return TlsFailed("TLS failed: the certificate is for another host")
        if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader)):
            return InvalidTarget("the URL or a header is not valid")
        return ConnectFailed(words)
    if isinstance(root, (OSError, http.client.RemoteDisconnected, IncompleteRead)):
        is_stale = not state.is_connection_fresh and not state.has_received
        return ConnectionLost(f"connection lost ({words})", is_stale=is_stale)
    return BrokenResponse(f"not an HTTP response ({type(root).__name__})")


def _root_cause(error: BaseException) -> BaseException:
    """The exception at the bottom: requests wraps urllib3, which wraps the socket's."""
    seen = {id(error)}
    while True:
        inner = error.__cause__ or next(
            (arg for arg in error.args if isinstance(arg, BaseException)),
            getattr(error, "reason", None),
        )
        if not isinstance(inner, BaseException) or id(inner) in seen:
            return error
        seen.add(id(inner))
        error = inner
