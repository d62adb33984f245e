"""All outgoing HTTP of this process: `Transport.exchange`, on httpcore."""

from __future__ import annotations

import os
import re
import ssl
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import certifi
import httpcore2 as httpcore
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from egress.errors import BodyTooLarge, BrokenResponse, InvalidTarget, TransportError
from egress.exchange import Deadline, Exchange, Guard, Limits, exchange_scope
from egress.network import DeadlineBackend
from egress.proxy import Proxy

_CHUNK_BYTES = 16_384
# Limits of one exchange with a stranger: about 0.1 s of processor time, measured.
_STRANGERS_FRAMING_BYTES = 16_384
_STRANGERS_PIECES = 2_000
_GZIP = 16 + zlib.MAX_WBITS
_DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 9110, sections 5.1 and 5.5. httpcore would check this only after the connect.
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\u0100-\U0010ffff]*")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The request. Header values may contain credentials, hence no repr."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"HttpRequest({self.method})"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete answer; `is_truncated` only if the caller allowed it.

    Names of headers are in lower case. A gzip body is decompressed, and the headers about its
    compression are removed. `address` is what was connected to, as `192.0.2.1:443`; empty for a
    kept connection and behind a proxy.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_truncated: bool = False
    address: str = ""


class Transport:
    """Thread-safe. Keeps connections alive between exchanges, never across a fork.

    Certificates are always verified: against `ca_bundle` instead of certifi's authorities, if it
    is given, and against `more_authorities` besides. Both are paths of PEM files.

    With a `proxy` no guard is asked: the proxy resolves names and decides about addresses. Proxies
    of the environment are ignored, since they could divert an API key.
    """

    def __init__(
        self,
        *,
        max_body_bytes: int,
        pool_size: int = 64,
        ca_bundle: str | None = None,
        more_authorities: str | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self.max_body_bytes = max_body_bytes
        self._pool_size = pool_size
        self._ssl_context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
        if more_authorities:
            self._ssl_context.load_verify_locations(cafile=more_authorities)
        self._backend = DeadlineBackend(proxy)
        self._pool = (os.getpid(), self._new_pool())

    def exchange(
        self,
        request: HttpRequest,
        deadline: Deadline,
        *,
        is_fresh: bool = False,
        is_body_optional: bool = False,
        guard: Guard | None = None,
    ) -> HttpResponse:
        """Send one request. No redirects are followed, nothing is retried. Uses the network.

        `is_fresh` opens a connection of its own and closes it afterwards. `is_body_optional` is for
        callers that need only the status: a body that is too long, late or broken is then cut
        instead of raised. A guard requires `is_fresh`: a connection from the pool may have been
        opened without this guard.

        Raises a TransportError.
        """
        if guard is not None and not is_fresh:
            raise ValueError("a guarded exchange must use a fresh connection")
        asked = _prepared(request)
        state = Exchange(deadline, self._limits(is_stranger=guard is not None), guard)
        with exchange_scope(state), self._connection(asked, is_fresh=is_fresh) as connection:
            try:
                return self._answer(connection, asked, state, is_body_optional)
            except TransportError as error:
                error.address = state.address
                raise

    def _answer(
        self,
        connection: httpcore.ConnectionPool | httpcore.HTTPConnection,
        asked: httpcore.Request,
        state: Exchange,
        is_body_optional: bool,
    ) -> HttpResponse:
        with _translated(state):
            response = connection.handle_request(asked)
        try:
            state.note_head()
            headers = _joined(response.headers)
            parts = _unpacked_parts(state.counted(response.iter_stream()), headers)
            body, is_truncated = self._body(parts, state, is_body_optional)
        finally:
            response.close()
        return HttpResponse(response.status, headers, body, is_truncated, state.address)

    def _limits(self, *, is_stranger: bool) -> Limits:
        """An exchange with a guard is one with a stranger, who may want to use up our time."""
        if is_stranger:
            return Limits(self.max_body_bytes + _STRANGERS_FRAMING_BYTES, _STRANGERS_PIECES)
        # The framing of small chunks makes a body several times as long as its content.
        return Limits(4 * self.max_body_bytes)

    def close(self) -> None:
        """Close the idle connections; the transport stays usable."""
        self._pool[1].close()

    def _new_pool(self) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            ssl_context=self._ssl_context,
            max_connections=None,
            max_keepalive_connections=self._pool_size,
            network_backend=self._backend,
        )

    @contextmanager
    def _connection(
        self, asked: httpcore.Request, *, is_fresh: bool
    ) -> Iterator[httpcore.ConnectionPool | httpcore.HTTPConnection]:
        if not is_fresh:
            yield self._pool_of_this_process()
            return
        with httpcore.HTTPConnection(
            asked.url.origin, ssl_context=self._ssl_context, network_backend=self._backend
        ) as connection:
            yield connection

    def _pool_of_this_process(self) -> httpcore.ConnectionPool:
        owner, pool = self._pool
        if owner != os.getpid():
            # The parent still uses these sockets: sharing them would mix up answers. No lock, since
            # a fork may happen while one is held; two threads here cost one spare pool.
            pool = self._new_pool()
            self._pool = (os.getpid(), pool)
        return pool

    def _body(
        self, parts: Iterable[bytes], state: Exchange, is_optional: bool
    ) -> tuple[bytes, bool]:
        body = bytearray()
        try:
            with _translated(state):
                for part in parts:
                    body += part
                    if len(body) > self.max_body_bytes:
                        raise BodyTooLarge(f"body of more than {self.max_body_bytes} bytes")
        except TransportError:
            if not is_optional:
                raise
            return bytes(body[: self.max_body_bytes]), True
        return bytes(body), False


def _prepared(request: HttpRequest) -> httpcore.Request:
    try:
        url = parse_url(request.url)
    except LocationParseError:
        raise InvalidTarget("the URL is not valid") from None
    scheme, host = url.scheme or "", url.host or ""
    if scheme not in _DEFAULT_PORTS or not host or url.auth is not None or not host.isascii():
        raise InvalidTarget("the URL is not valid")
    is_usual = url.port in (None, _DEFAULT_PORTS[scheme])
    headers = {"Host": host if is_usual else f"{host}:{url.port}", "Accept-Encoding": "identity"}
    if request.body is not None or request.method != "GET":
        headers["Content-Length"] = str(len(request.body or b""))
    bare = host.strip("[]")
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=scheme, host=bare, port=url.port, target=url.request_uri),
        headers=_fields(headers, request.headers),
        content=request.body,
        extensions={"sni_hostname": bare.removesuffix(".")},
    )


def _fields(own: Mapping[str, str], given: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers given by the caller replace our own. Raises InvalidTarget."""
    names = {name.lower() for name in given}
    fields = [(name, value) for name, value in own.items() if name.lower() not in names]
    fields += given.items()
    if not all(_FIELD_NAME.fullmatch(n) and _FIELD_VALUE.fullmatch(v) for n, v in fields):
        raise InvalidTarget("a header is not valid")
    return [(name.encode(), value.strip().encode("latin-1")) for name, value in fields]


def _joined(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lines of the same name become one value (RFC 9110, section 5.3)."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _unpacked_parts(parts: Iterable[bytes], headers: dict[str, str]) -> Iterable[bytes]:
    """The decompressed body; removes the headers about its compression."""
    if headers.get("content-encoding", "").lower() not in ("gzip", "x-gzip"):
        return parts
    for name in ("content-encoding", "content-length"):
        headers.pop(name, None)
    return _unpacked(parts)


def _unpacked(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yields small pieces even if a part becomes very large: the caller can stop at any of them."""
    decoder = zlib.decompressobj(_GZIP)
    for part in parts:
        while not decoder.eof and (piece := decoder.decompress(part, _CHUNK_BYTES)):
            yield piece
            part = decoder.unconsumed_tail


@contextmanager
def _translated(state: Exchange) -> Iterator[None]:
    """Translate errors of libraries, without their texts and causes: those may contain the sent
    data, including the key.
    """
    try:
        yield
    except httpcore.LocalProtocolError:
        raise InvalidTarget("the URL or a header is not valid") from None
    except (httpcore.ProtocolError, zlib.error, ValueError) as error:
        if state.is_closed_by_peer:
            raise state.lost("closed by the server") from None
        raise BrokenResponse(f"not an HTTP response ({type(error).__name__})") from None
