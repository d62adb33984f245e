"""The temporary servers that the competitors share: a new Postgres, and Redis for Celery."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from devtools.benchmarks.debian import DEBIAN_FOLDER, fetch
from devtools.benchmarks.processes import Tree
from devtools.benchmarks.remote import BenchError
from devtools.embedded_postgres import ConnectionInfo, ensure_running, stop

_START_SECONDS = 10.0
_REPORTED = (
    *("server_version", "shared_buffers", "fsync", "synchronous_commit", "full_page_writes"),
    *("max_wal_size", "autovacuum", "jit"),
)


class Postgres:
    """The service's embedded server, in a folder of its own, with its usual settings.

    It ends with this process, in whatever way that ends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.info: ConnectionInfo = ensure_running(folder)

    def database(self, name: str) -> str:
        """The connection string of a database, which is created if needed."""
        with self._connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is None:
                statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
                connection.execute(statement)
        info = self.info
        return f"host={info.host} port={info.port} user={info.user} dbname={name}"

    def settings(self) -> dict[str, str]:
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)",
                [list(_REPORTED)],
            )
            return dict(rows.fetchall())

    def processes(self) -> list[psutil.Process]:
        """The server and its children; their CPU time includes the work for clients."""
        first_line = (self._folder / "cluster" / "postmaster.pid").read_text().splitlines()[0]
        postmaster = psutil.Process(int(first_line))
        return [postmaster, *postmaster.children()]

    def log(self) -> str:
        return (self._folder / "postgres.log").read_text(errors="replace")

    def stop(self) -> None:
        stop(self._folder)

    def _connect(self) -> psycopg.Connection[tuple[str, str]]:
        return psycopg.connect(
            host=self.info.host,
            port=self.info.port,
            user=self.info.user,
            dbname=self.info.dbname,
            autocommit=True,
        )


class Redis:
    """Debian's redis-server on a Unix socket: without a port, not a service of the machine."""

    def __init__(self, folder: Path, root: Path) -> None:
        """Raises BenchError if no redis-server can be run."""
        program, libraries = _find_redis(root)
        folder.mkdir()
        self.socket = folder / "redis.sock"
        command = [
            *(program, "--port", "0", "--unixsocket", os.fspath(self.socket)),
            *("--dir", os.fspath(folder), "--save", "", "--appendonly", "yes"),
            *("--appendfsync", "everysec", "--daemonize", "no"),
        ]
        env = {"LD_LIBRARY_PATH": libraries} if libraries else {}
        self._tree = Tree([command], env, folder / "redis.log")
        self.version = _version(program, env)
        self._tree.start()
        self._await_socket()

    def processes(self) -> list[psutil.Process]:
        return self._tree.members()

    def stop(self) -> None:
        self._tree.stop()

    def _await_socket(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self.socket.exists():
            if time.monotonic() > deadline or not self._tree.members():
                self.stop()
                raise BenchError("redis-server does not start")
            time.sleep(0.02)


def _find_redis(root: Path) -> tuple[str, str]:
    """The program, and the folder of its libraries unless it is installed."""
    installed = shutil.which("redis-server")
    if installed:
        return installed, ""
    unpacked = root / DEBIAN_FOLDER
    program = unpacked / "usr" / "bin" / "redis-server"
    if not program.exists():
        fetch("redis-server", unpacked)
    libraries = sorted({os.fspath(found.parent) for found in unpacked.rglob("*.so*")})
    return os.fspath(program), ":".join(libraries)


def _version(program: str, env: dict[str, str]) -> str:
    output = subprocess.run(
        [program, "--version"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return next((part[2:] for part in output.split() if part.startswith("v=")), output.strip())
