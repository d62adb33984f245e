"""A web server in one thread, so that all its requests share one database connection."""

import threading
from collections.abc import Iterator
from itertools import count
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connections

from accounts.rest.idempotency_keys import read_key
from instances.streaming import process_hub


class Silent(WSGIRequestHandler):
    def get_environ(self) -> dict[str, Any]:
        """Without the text/plain that this server says for callers who say nothing."""
        environ: dict[str, Any] = super().get_environ()
        return environ | {"CONTENT_TYPE": self.headers.get("Content-Type", "")}

    def log_message(self, *_: Any) -> None:
        """The middleware logs requests."""


@pytest.fixture(autouse=True)
def nobody_waits_afterwards(db: None) -> Iterator[None]:
    """What waits keeps database connections, which would keep the database."""
    yield
    process_hub.close()


def with_keys_of_their_own(application: Any) -> Any:
    """Each request gets its own Idempotency-Key, if it has a usable one: a generator sends the same
    for all, and all but the first would be refused as reused.
    """
    numbers = count()

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        key = environ.get("HTTP_IDEMPOTENCY_KEY", "")
        if read_key(key) is not None:
            number = f"{next(numbers)}-"
            own = f'"{number}{key[1:]}' if key.startswith('"') else number + key
            environ["HTTP_IDEMPOTENCY_KEY"] = own if read_key(own) else number
        return application(environ, start_response)

    return serve


@pytest.fixture
def served(transactional_db: None) -> Iterator[str]:
    application = with_keys_of_their_own(get_wsgi_application())
    with make_server("127.0.0.1", 0, application, handler_class=Silent) as server:

        def serve() -> None:
            try:
                server.serve_forever(poll_interval=0.05)
            finally:
                connections.close_all()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
