"""Postgres for development and tests without an installed server: the programs come from a wheel.

    info = ensure_running(Path(".data/postgres"))

The first call starts the server. All processes that called it share the server, and it ends when
the last of them has ended, in whatever way. `devtools.embedded_postgres.backend` is a Django
database engine on top. Nothing else in this package imports Django.
"""

from devtools.embedded_postgres.client import ensure_running, find_running, stop
from devtools.embedded_postgres.errors import EmbeddedPostgresError
from devtools.embedded_postgres.layout import ConnectionInfo

__all__ = ["ConnectionInfo", "EmbeddedPostgresError", "ensure_running", "find_running", "stop"]
