"""Postgres for development and tests without a server installed: programs from a wheel.

    info = ensure_running(Path(".data/postgres"))

The server starts at the first call, is shared by all processes that made it, and ends when the
last of them has ended, however it did. `devtools.embedded_postgres.backend` is a Django database
engine on top. Nothing else in this package imports Django.
"""

from devtools.embedded_postgres.client import ensure_running, find_running, stop
from devtools.embedded_postgres.errors import EmbeddedPostgresError
from devtools.embedded_postgres.layout import ConnectionInfo

__all__ = ["ConnectionInfo", "EmbeddedPostgresError", "ensure_running", "find_running", "stop"]
