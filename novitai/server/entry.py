"""The ASGI application: collects a request on the event loop and has Django answer it in a thread.

A thread gets a request when all of it is here, and is free again when the answer is made, before it
is sent. Waits and streams (``instances.streaming``) hold no thread: the loop answers them.
"""

import asyncio
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import structlog

from accounts.console.site import ANSWER_DELAY
from instances.streaming import process_hub
from instances.streaming.connections import AsgiConnection
from instances.streaming.deferred_response import DeferredResponse
from novitai.env.fields import Config
from novitai.errors.codes import CODES
from novitai.errors.responses import error_body, error_json
from novitai.server.clients import Clients
from novitai.server.connection import Connection
from novitai.server.environ import Refused, add_body, environ_of

logger = structlog.get_logger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

# Probes have threads of their own: slow statements must not make the service look dead. /livez has
# one for itself, since the others ask the database.
_PROBE_THREADS = 2
_SWEEP_SECONDS = 0.2
# A process whose event loop stands still for so long ends itself; its parent starts another one.
_HANGING_SECONDS = 60
# Read of a body that is refused, before its connection is closed (RFC 9112, 9.6).
_MOST_DRAINED_BYTES = 1_048_576
_DRAIN_SECONDS = 2.0
_CLOSE = (b"connection", b"close")


class Answer(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    deferred: DeferredResponse | None = None


class Entry:
    """load: returns Django's WSGI handler; called in a thread, as it asks the database.
    most_connections: limit for this process.
    """

    def __init__(self, load: Callable[[], Wsgi], config: Config, most_connections: int) -> None:
        self._load, self._limit = load, config.max_body_bytes
        self._clients = Clients(
            config.web_read_timeout, most_connections, process_hub.begin_closing
        )
        self._threads = ThreadPoolExecutor(config.web_threads, "request")
        probes = ThreadPoolExecutor(_PROBE_THREADS, "probe")
        self._pools = {"/livez": ThreadPoolExecutor(1), "/readyz": probes, "/health": probes}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        connection: Connection = scope["state"]["connection"]
        try:
            await self._serve(connection, scope, receive, send)
        except asyncio.CancelledError:
            # The time of a stop is over, and nobody knows what the thread still does: no answer.
            connection.abort()
            raise
        finally:
            connection.end_answer()

    async def _serve(
        self, connection: Connection, scope: Message, receive: Receive, send: Send
    ) -> None:
        is_whole: bool | None = False
        is_last = True
        try:
            environ = environ_of(scope)
            is_whole = await self._collect(environ, receive)
            if is_whole is None:
                return
            connection.begin_answer()
            answer = await self._answer(environ)
            is_last = "HTTP_UPGRADE" in environ or connection.closes
        except Refused as refused:
            connection.begin_answer()
            answer = _refusal(refused)
        except Exception:
            # What Django's handler does not catch: signal receivers, an answer's content.
            logger.exception("request_failed")
            answer = _refusal(Refused("INTERNAL_SERVER_ERROR"))
        if answer.deferred is not None:
            await self._defer(connection, answer, answer.deferred, receive, send)
            return
        if is_last or not is_whole:
            answer.headers.append(_CLOSE)
        connection.begin_sending(len(answer.body))
        start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body, "more_body": not is_whole})
        if not is_whole:
            await _drain(receive)
            await send({"type": "http.response.body"})

    async def _collect(self, environ: Message, receive: Receive) -> bool | None:
        """Whether all of the body is here, or it is too large: Django's answer is 413 then. None:
        the client has gone.
        """
        is_chunked = "HTTP_TRANSFER_ENCODING" in environ
        length = int(environ.get("CONTENT_LENGTH", 0))
        body, is_whole = bytearray(), not is_chunked and length == 0
        while not is_whole and max(length, len(body)) <= self._limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message["body"]
            is_whole = not message["more_body"]
        add_body(environ, body, is_chunked=is_chunked)
        return is_whole and len(body) <= self._limit

    async def _answer(self, environ: Message) -> Answer:
        pool = self._pools.get(environ["PATH_INFO"], self._threads)
        answer = await asyncio.get_running_loop().run_in_executor(pool, self._run, environ)
        if delay := environ.get(ANSWER_DELAY):
            await asyncio.sleep(delay)
        return answer

    def _run(self, environ: Message) -> Answer:
        """In a thread, whose database connection ``close`` looks after."""
        head: list[Any] = []
        response = self._wsgi(environ, lambda *given: head.extend(given))
        try:
            deferred = response if isinstance(response, DeferredResponse) else None
            if deferred is not None:
                deferred.hand_over()
            body = b"" if deferred else b"".join(response)
        finally:
            response.close()  # type: ignore[attr-defined]
        status = int(head[0][:3])
        headers = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in head[1]]
        has_length = deferred or any(name == b"Content-Length" for name, _ in headers)
        if not has_length and environ["REQUEST_METHOD"] != "HEAD" and status not in (204, 304):
            headers.append((b"Content-Length", b"%d" % len(body)))
        return Answer(status, headers, body, deferred)

    async def _defer(
        self,
        connection: Connection,
        answer: Answer,
        deferred: DeferredResponse,
        receive: Receive,
        send: Send,
    ) -> None:
        if connection.is_lost or connection.is_ended:
            deferred.release()
            connection.abort()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        out = AsgiConnection([*answer.headers, _CLOSE], send, connection.abort)
        connection.hold(out.lose)
        process_hub.hub().add(deferred.subscriber, out, deferred.release)
        if self._clients.is_stopping:
            process_hub.begin_closing()
        await out.run()

    # The process

    async def _live(self, scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        loop = asyncio.get_running_loop()
        try:
            self._wsgi = await loop.run_in_executor(self._threads, self._load)
        except SystemExit:
            # It has told why.
            await send({"type": "lifespan.startup.failed"})
            return
        process_hub.run_on(loop)
        scope["state"]["clients"] = self._clients
        sweeping = loop.create_task(self._sweep())
        # A thread with its answer from Postgres must not wait 5 ms for each one that computes.
        sys.setswitchinterval(0.0005)
        # What is loaded by now stays: the collector need not look through it time and again.
        gc.collect()
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        sweeping.cancel()
        await loop.run_in_executor(None, process_hub.close)
        await send({"type": "lifespan.shutdown.complete"})

    async def _sweep(self) -> None:
        parent = os.getppid()
        while True:
            faulthandler.dump_traceback_later(_HANGING_SECONDS, exit=True)
            await asyncio.sleep(_SWEEP_SECONDS)
            self._clients.sweep()
            if os.getppid() != parent:
                # Nobody would end this process any more, and it would keep the port.
                signal.raise_signal(signal.SIGTERM)
                return


async def _drain(receive: Receive) -> None:
    """Closing while the client still sends would reset the connection, and lose the answer."""
    drained, has_more = 0, True
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while has_more and drained < _MOST_DRAINED_BYTES:
                message = await receive()
                drained += len(message.get("body", b""))
                has_more = message.get("more_body", False)


def _refusal(refused: Refused) -> Answer:
    error = error_body(None, refused.code, refused.message)
    body = error_json(error)
    headers = [
        (b"X-Request-Id", error["error"]["requestId"].encode()),
        (b"Content-Type", b"application/json"),
        (b"Cache-Control", b"no-store"),
        (b"Content-Length", b"%d" % len(body)),
    ]
    return Answer(CODES[refused.code].status, headers, body)
