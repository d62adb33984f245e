"""A response for a waiting client: the socket leaves the web server, and its thread is freed.

Middlewares see a normal streaming response and add their headers. When the server reads its
content, the socket goes to the hub. With servers that keep their socket (tests, runserver), the
thread waits, without a database connection.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.http import StreamingHttpResponse

from instances.streaming import process
from instances.streaming.connections import QueueSink, SocketSink
from instances.streaming.subscribers import Client


class DeferredResponse(StreamingHttpResponse):
    """``release`` frees the client's place in the limits.

    The socket is ``gunicorn.socket`` of the WSGI environment, if it can be handed over.
    """

    def __init__(
        self,
        client: Client,
        *,
        environ: dict[str, Any],
        release: Callable[[], None],
        content_type: str,
    ) -> None:
        super().__init__(self._content(), content_type=content_type)
        self._client = client
        self._environ = environ
        self._release = release
        self._is_handed_over = False

    def _content(self) -> Iterator[bytes]:
        self._is_handed_over = True
        give_away = getattr(self._environ.get("gunicorn.socket"), "give_away", None)
        if give_away is not None:
            sink = SocketSink(list(self.headers.items()))
            process.hub().adopt(self._client, give_away(), sink, self._release)
            return
        yield from self._waited_for()

    def _waited_for(self) -> Iterator[bytes]:
        if not connection.in_atomic_block:
            connection.close()
        sink = QueueSink()
        process.hub().add(self._client, sink, self._release)
        try:
            yield from sink
        finally:
            process.hub().drop(self._client)

    def close(self) -> None:
        super().close()
        if not self._is_handed_over:
            self._release()
