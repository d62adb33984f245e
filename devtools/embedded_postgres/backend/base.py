"""ENGINE = "devtools.embedded_postgres.backend", with the extra key DATA_DIR (the data folder).

    DATABASES = {"default": {"ENGINE": ..., "NAME": "novitai", "DATA_DIR": BASE_DIR / ".data/pg"}}

All other keys mean what they mean for core.database.backend; HOST, PORT and USER are set
by the server that is running. Importing this, or the settings, starts nothing.
"""

from typing import Any

import psycopg

from core.database.backend import base
from devtools.embedded_postgres.backend.client import DatabaseClient
from devtools.embedded_postgres.backend.server import running_server


class DatabaseWrapper(base.DatabaseWrapper):
    """Postgres whose address is asked for at every new connection, as the server may be new."""

    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        info = running_server(self.settings_dict)
        return {**params, "host": info.host, "port": info.port, "user": info.user}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Try twice: the server can end between being asked for and being connected to."""
        try:
            return super().get_new_connection(conn_params)
        except psycopg.errors.ConnectionTimeout:
            raise
        except psycopg.OperationalError:
            return super().get_new_connection(self.get_connection_params())
