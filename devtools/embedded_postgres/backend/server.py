"""The server of an entry of DATABASES, started if need be."""

from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured

from devtools.embedded_postgres import ConnectionInfo, EmbeddedPostgresError, ensure_running


def running_server(settings: dict[str, Any]) -> ConnectionInfo:
    """Start the server of an entry of DATABASES; raises ImproperlyConfigured without DATA_DIR.

    A server that cannot be had is an OperationalError, as with any other database.
    """
    data_dir = settings.get("DATA_DIR")
    if not data_dir:
        raise ImproperlyConfigured("The embedded Postgres needs DATA_DIR in its DATABASES entry.")
    try:
        return ensure_running(Path(data_dir))
    except EmbeddedPostgresError as error:
        raise psycopg.OperationalError(str(error)) from error
