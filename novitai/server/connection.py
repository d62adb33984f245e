"""One client's connection: uvicorn's, with the bounds and errors that uvicorn does not have.

uvicorn takes a protocol class by its option ``http``. Overridden are the methods of
``asyncio.Protocol``, the callbacks of httptools' parser, and what uvicorn calls a connection for:
``shutdown``, ``timeout_keep_alive_handler`` and ``send_400_response``.

    no bytes, or half a request  ->  408 or a close after WEB_READ_TIMEOUT
    a head without end           ->  431 after 64 KiB
    an answer that is not taken  ->  a reset after 30 s without progress
    what is no HTTP              ->  400 as JSON; requests before it are answered first
    trailers of a chunked body   ->  ignored: uvicorn would take them for headers of the request
    after the request of a wait  ->  ignored, as far as 64 KiB; then a reset
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from novitai.server.clients import SEND_SECONDS, STOP_SECONDS, Clients

# Of a head, or of chunk sizes and trailers, while the body is not counted.
MOST_FRAMING_BYTES = 65_536
# Requests that are sent before the first of them is answered.
MOST_PIPELINED = 64
# Time to close for a client that was refused in the middle of its request (RFC 9112, 9.6).
_PARTING_SECONDS = 2.0


def _nothing() -> None:
    """Nobody waits for the end of this connection."""


class Connection(HttpToolsProtocol):
    """owed: number of requests that have arrived in full and are not answered yet.
    is_ended: nothing more is read from the client, which may still be owed answers.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, "connection": self}, _loop)
        self.clients: Clients = app_state["clients"]
        self.size = 0
        self.owed = 0
        self.is_answering = False
        self.is_lost = False
        self.on_lost: Callable[[], None] = _nothing
        self._has_begun = False
        self._is_refused = False
        self.is_ended = False
        self._framing = 0

    # What the entry asks

    @property
    def closes(self) -> bool:
        """Whether the answer must be the last of this connection."""
        return self.clients.is_stopping or (self.is_ended and self.owed <= 1)

    @property
    def is_sending(self) -> bool:
        """Whether the client has not received all of an answer."""
        return self.transport.get_write_buffer_size() > 0

    def begin_answer(self) -> None:
        self.is_answering = True
        self.clients.attend(self)

    def begin_sending(self, size: int) -> None:
        """``size`` bytes of an answer are about to be written."""
        if self.is_lost:
            return
        self.clients.weigh(self, size + self.transport.get_write_buffer_size())
        self.clients.wait(self, SEND_SECONDS)

    def end_answer(self) -> None:
        self.is_answering = False
        self.owed = max(self.owed - 1, 0)
        if self.is_lost:
            return
        if self.is_ended and not self.owed:
            self.transport.close()
        self.clients.weigh(self, self.transport.get_write_buffer_size())
        if self.owed:
            self.clients.attend(self)
        else:
            self.clients.wait(self, SEND_SECONDS if self.is_sending else self.clients.patience)

    def hold(self, on_lost: Callable[[], None]) -> None:
        """The last answer takes long. Reading goes on, so that a client that leaves is noticed."""
        self.on_lost = on_lost
        self.is_ended = True
        self._framing = 0
        self.flow.resume_reading()

    # What the clients' bounds ask

    def expire(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        if 0 < unsent < self.size:
            self.clients.weigh(self, unsent)
            self.clients.wait(self, SEND_SECONDS)
        elif unsent or self.is_answering or self._is_refused or self.transport.is_closing():
            self.abort()
        elif self._has_begun:
            self._refuse("REQUEST_TIMEOUT")
        else:
            self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    # asyncio's protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # uvicorn asks the socket, which has no address any more if the client has reset it: it
        # would be trusted like a proxy at a Unix socket.
        peer = transport.get_extra_info("peername")
        self.client = peer[:2] if isinstance(peer, tuple) else None
        self.clients.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        super().connection_lost(exc)
        self.clients.leave(self)
        self.on_lost()

    def data_received(self, data: bytes) -> None:
        if self._is_refused or self.is_ended:
            self._discard(data)
            return
        if self._framing > MOST_FRAMING_BYTES:
            self._refuse("HEADERS_TOO_LARGE")
            return
        self._framing += len(data)
        super().data_received(data)

    def _discard(self, data: bytes) -> None:
        self._framing += len(data)
        if self.on_lost is not _nothing and self._framing > MOST_FRAMING_BYTES:
            self.abort()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more; it may still read. Whether the socket stays open for that."""
        if not self.owed and self._has_begun and not self._is_refused:
            self._refuse("BAD_REQUEST", "The request could not be read to its end.")
        self.is_ended = True
        # A client that waits is taken for gone: closing looks the same from here.
        return self.owed > 0 and self.on_lost is _nothing

    # httptools' callbacks

    def on_message_begin(self) -> None:
        if self.owed >= MOST_PIPELINED:
            raise ValueError("too many requests before the first answer")
        super().on_message_begin()
        self._has_begun = True
        self._framing = 0
        if not self.owed:
            self.clients.wait(self, self.clients.patience)

    def on_headers_complete(self) -> None:
        # RFC 9110, 10.1.1.
        self.expect_100_continue &= self.parser.get_http_version() != "1.0"
        super().on_headers_complete()
        # The scope has its list; trailers go to this one, and nobody reads it.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._framing -= len(body)
        if self.owed or not self.is_answering:
            self.clients.weigh(self, self.size + len(body))

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._has_begun = False
        self._framing = 0
        self.owed += 1
        self.clients.attend(self)

    # What uvicorn asks

    def shutdown(self) -> None:
        """The process stops: a request that is on its way is answered, and then comes the end."""
        self.clients.stop()
        if not self.owed and not self.is_answering:
            self.clients.wait(self, _PARTING_SECONDS if self._has_begun else STOP_SECONDS)

    def timeout_keep_alive_handler(self) -> None:
        """Half a request, and an answer on its way, have deadlines of their own."""
        if not self._has_begun and not self.is_sending:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        self._refuse("BAD_REQUEST")

    def _refuse(self, code: str, message: str = "") -> None:
        """Answer what never becomes a request of ours, after those before it."""
        if self.owed or self.is_answering:
            self.is_ended = True
            return
        self._is_refused = True
        if self.transport.is_closing():
            return
        self.transport.write(_answer(code, message))
        self.transport.write_eof()
        self.clients.wait(self, _PARTING_SECONDS)


def _answer(code: str, message: str) -> bytes:
    # Not earlier: uvicorn loads this module before Django has its settings.
    from novitai.errors.codes import CODES
    from novitai.errors.responses import error_body, error_json

    error = error_body(None, code, message)
    body = error_json(error)
    status = HTTPStatus(CODES[code].status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nserver: novitai\r\n"
        f"x-request-id: {error['error']['requestId']}\r\nconnection: close\r\n"
        "content-type: application/json\r\ncache-control: no-store\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
