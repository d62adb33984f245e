"""ENGINE = "devtools.embedded_postgres.backend", with the extra key DATA_DIR (the data folder).

    DATABASES = {"default": {"ENGINE": ..., "NAME": "novitai", "DATA_DIR": BASE_DIR / ".data/pg"}}

All other keys have the same meaning as for core.database.backend; HOST, PORT and USER come from the
running server. Importing this module, or the settings, starts nothing.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import client

from core.database.backend import base
from devtools.embedded_postgres import ConnectionInfo, EmbeddedPostgresError, ensure_running
from devtools.embedded_postgres.binaries import bin_folder


class DatabaseClient(client.DatabaseClient):
    """`manage.py dbshell` with the psql of the wheel; starts the server first.

    psql runs as a child process, so this process stays a user of the server meanwhile.
    """

    executable_name = "psql"

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        info = _running_server(settings_dict)
        address = {"HOST": info.host, "PORT": info.port, "USER": info.user}
        arguments, env = super().settings_to_cmd_args_env(
            {**settings_dict, **address}, list(parameters)
        )
        return [os.fspath(bin_folder() / "psql"), *arguments[1:]], env


class DatabaseWrapper(base.DatabaseWrapper):
    """Postgres. Looks up the address for each new connection: the server may be a new one."""

    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        info = _running_server(self.settings_dict)
        return {**params, "host": info.host, "port": info.port, "user": info.user}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Try twice: the server can end between the look-up of its address and the connection."""
        try:
            return super().get_new_connection(conn_params)
        except psycopg.errors.ConnectionTimeout:
            raise
        except psycopg.OperationalError:
            return super().get_new_connection(self.get_connection_params())


def _running_server(settings: dict[str, Any]) -> ConnectionInfo:
    """Start the server of an entry of DATABASES. Raises ImproperlyConfigured without DATA_DIR.

    If the server cannot be started, raises OperationalError, as for any other database.
    """
    data_dir = settings.get("DATA_DIR")
    if not data_dir:
        raise ImproperlyConfigured("The embedded Postgres needs DATA_DIR in its DATABASES entry.")
    try:
        return ensure_running(Path(data_dir))
    except EmbeddedPostgresError as error:
        raise psycopg.OperationalError(str(error)) from error
