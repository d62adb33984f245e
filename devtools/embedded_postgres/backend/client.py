"""`manage.py dbshell` with the psql of the wheel."""

import os
from collections.abc import Iterable
from typing import Any

from django.db.backends.postgresql import client

from devtools.embedded_postgres.backend.server import running_server
from devtools.embedded_postgres.binaries import bin_folder


class DatabaseClient(client.DatabaseClient):
    """Starts the server first. psql runs as our child, so this process stays a user meanwhile."""

    executable_name = "psql"

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        info = running_server(settings_dict)
        address = {"HOST": info.host, "PORT": info.port, "USER": info.user}
        arguments, env = super().settings_to_cmd_args_env(
            {**settings_dict, **address}, list(parameters)
        )
        return [os.fspath(bin_folder() / "psql"), *arguments[1:]], env
