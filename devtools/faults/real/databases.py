"""Databases for stacks: copies of a migrated one, and a server that may be killed."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from devtools.embedded_postgres import ensure_running, stop
from devtools.faults.real.processes import ROOT, kill_all


@dataclass(frozen=True, slots=True)
class Server:
    """Address of a Postgres server; ``host`` may be the folder of its socket."""

    host: str
    port: str
    user: str
    password: str = ""

    def url(self, database: str) -> str:
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        port = f":{self.port}" if self.port else ""
        return (
            f"postgresql://{quote(self.user, safe='')}{secret}"
            f"@{quote(self.host, safe='')}{port}/{quote(database, safe='')}"
        )

    def through(self, port: int) -> "Server":
        """The same server behind a proxy on this machine."""
        return Server("127.0.0.1", str(port), self.user, self.password)

    @property
    def address(self) -> tuple[str, int] | str:
        """The address for a proxy: host and port, or the path of a socket."""
        port = int(self.port or 5432)
        if self.host.startswith("/"):
            return f"{self.host}/.s.PGSQL.{port}"
        return self.host, port


@dataclass(frozen=True, slots=True)
class Database:
    """A database for one stack."""

    server: Server
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)


@contextmanager
def copy_of(server: Server, template: str) -> Iterator[Database]:
    """A copy of a migrated database, dropped at the end. The original must not be in use."""
    name = f"{template}_{secrets.token_hex(4)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as maintenance:
        # A template in use cannot be copied: a test may have left a session.
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
        maintenance.execute(ended, [template])
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        maintenance.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield Database(server, name)
    finally:
        # A new connection: the server may have been killed meanwhile.
        with psycopg.connect(server.url("postgres"), autocommit=True) as maintenance:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            maintenance.execute(drop.format(sql.Identifier(name)))


class OwnServer:
    """An embedded Postgres in a folder of its own; ends at the latest with this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        info = ensure_running(folder)
        self.server = Server(info.host, str(info.port), info.user)

    def migrate(self, name: str) -> Database:
        """A new database with the service's tables."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as maintenance:
            maintenance.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        database = Database(self.server, name)
        variables = {**os.environ, "DATABASE_URL": database.url}
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=variables, check=True)
        return database

    def shut_down_immediately(self) -> None:
        """Like ``pg_ctl stop -m immediate``: without a checkpoint, so the next start recovers."""
        postmaster = self._postmaster()
        family = [postmaster, *postmaster.children()]
        postmaster.send_signal(signal.SIGQUIT)
        psutil.wait_procs(family, timeout=10)
        kill_all(family)

    def start(self) -> None:
        info = ensure_running(self._folder)
        if info.host != self.server.host:
            raise RuntimeError(f"The server came back at {info.host}, not {self.server.host}")

    def stop(self) -> None:
        stop(self._folder)

    def _postmaster(self) -> psutil.Process:
        with suppress(FileNotFoundError, IndexError, ValueError):
            first = (self._folder / "cluster" / "postmaster.pid").read_text().splitlines()[0]
            return psutil.Process(int(first))
        raise RuntimeError(f"No server runs in {self._folder}")
