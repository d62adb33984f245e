"""The web server with its configuration, as real processes on the tests' database."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0


@contextmanager
def served(
    tmp_path: Path,
    database_url: str,
    *,
    files: int | None = None,
    stop_seconds: int = 20,
    **environ: str,
) -> Iterator[str]:
    """The service on a port that the system chose; ended with everything it started.

    files: limit of open files, half of which each process keeps for clients.
    """
    limit = ["prlimit", f"--nofile={files}"] if files else []
    command = [*limit, sys.executable, "-m", "novitai.server", f"--stop-seconds={stop_seconds}"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        log = (tmp_path / "web.log").open("wb")
        process = subprocess.Popen(
            [*command, "--fd", str(listener.fileno())],
            cwd=ROOT,
            env={
                **os.environ,
                "DATABASE_URL": database_url,
                "DATA_DIR": str(tmp_path / "data"),
                "TMPDIR": str(tmp_path),
                "WEB_WORKERS": "2",
                "LOG_FORMAT": "json",
                **environ,
            },
            pass_fds=[listener.fileno()],
            stderr=log,
            stdout=log,
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            log.close()
    assert not list(tmp_path.glob("novitai-metrics-*"))


def serving_processes() -> list[psutil.Process]:
    """Of the service that was started last; without its parent and Python's resource tracker."""
    alive = (c for c in psutil.Process().children() if c.status() != psutil.STATUS_ZOMBIE)
    servers = (child for child in alive if "novitai.server" in child.cmdline())
    parent = max(servers, key=lambda each: each.create_time())
    return [each for each in parent.children() if _is_serving(each)]


def _is_serving(process: psutil.Process) -> bool:
    """False for the resource tracker and for what has just ended."""
    with suppress(psutil.Error):
        return "spawn_main" in " ".join(process.cmdline())
    return False


def url_of_this_database() -> str:
    parameters: dict[str, Any] = connection.get_connection_params()
    user = parameters.get("user") or ""
    password = f":{parameters['password']}" if parameters.get("password") else ""
    # The embedded server's host is a folder.
    host = quote(str(parameters.get("host") or ""), safe="")
    place = f"{host}:{parameters.get('port') or ''}".strip(":")
    return f"postgresql://{user}{password}@{place}/{parameters['dbname']}"
