"""A response for a waiting client: the event loop sends it, and the request's thread is freed.

Middlewares see a normal streaming response and add their headers. The web server
(novitai/server/entry.py) gives ``subscriber`` to the hub. Other servers (tests, runserver) read the
content instead: their thread waits, without a database connection.
"""

from collections.abc import Callable, Iterator

from django.db import connection
from django.http import StreamingHttpResponse

from instances.streaming import process_hub
from instances.streaming.connections import QueueSink
from instances.streaming.subscribers import Client


class DeferredResponse(StreamingHttpResponse):
    """``release`` frees the client's place in the limits; it may be called more than once."""

    def __init__(self, client: Client, *, release: Callable[[], None], content_type: str) -> None:
        super().__init__(self._content(), content_type=content_type)
        self.subscriber = client
        self.release = release
        self._is_handed_over = False

    def hand_over(self) -> None:
        """From now on the caller sees to it that the client is answered and released."""
        self._is_handed_over = True

    def _content(self) -> Iterator[bytes]:
        self.hand_over()
        if not connection.in_atomic_block:
            connection.close()
        sink = QueueSink()
        process_hub.hub().add(self.subscriber, sink, self.release)
        try:
            yield from sink
        finally:
            process_hub.hub().drop(self.subscriber)

    def close(self) -> None:
        super().close()
        if not self._is_handed_over:
            self.release()
