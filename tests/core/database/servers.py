"""A Postgres of a test's own, which may be frozen, filled and reconfigured, and a pooler."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest

from devtools.embedded_postgres import ensure_running, stop
from devtools.embedded_postgres.cluster import spawn
from devtools.embedded_postgres.privileges import Account, choose_account
from tests.support.web_server import ROOT

PATIENCE = 30.0


class OwnServer:
    """The embedded server in a folder of its own, reached by its URL like any other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._info = ensure_running(folder)

    def url(self, name: str = "novitai", query: str = "") -> str:
        host = quote(self._info.host, safe="")
        return f"postgresql://{self._info.user}@{host}/{name}{query}"

    @property
    def account(self) -> Account:
        return choose_account(self._folder, self._folder / "cluster")

    @property
    def folder(self) -> str:
        return self._info.host

    @property
    def user(self) -> str:
        return self._info.user

    def run(self, *statements: str, name: str = "postgres") -> list[Any]:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def end_sessions(self, name: str = "novitai") -> None:
        self.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        )

    def processes(self) -> list[psutil.Process]:
        pid = (self._folder / "cluster/postmaster.pid").read_text().split()[0]
        postmaster = psutil.Process(int(pid))
        return [postmaster, *postmaster.children(recursive=True)]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The postmaster first, so that no session begins; some may end by themselves meanwhile."""
        family = self.processes()
        _signal(family, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(family, signal.SIGCONT)

    def stop(self) -> None:
        stop(self._folder)


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.send_signal(number)


def manage(url: str, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def migrate(url: str) -> None:
    done = manage(url, "migrate", "--verbosity", "0")
    assert done.returncode == 0, done.stderr


def eventually(is_true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> float:
    """How long it took."""
    start = time.monotonic()
    while not is_true():
        if time.monotonic() - start > seconds:
            pytest.fail(f"after {seconds} s still not: {what}")
        time.sleep(0.1)
    return time.monotonic() - start


@contextmanager
def pooler(folder: Path, server: OwnServer, name: str, *lines: str) -> Iterator[str]:
    """A real PgBouncer before the server; the URL that leads through it."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail("pgbouncer is missing: apt-get install pgbouncer (as .ci/run does)")
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "users.txt").write_text(f'"{server.user}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        "\n".join(
            [
                "[databases]",
                f"* = host={server.folder} user={server.user}",
                "[pgbouncer]",
                f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =",
                f"auth_type = trust\nauth_file = {folder}/users.txt",
                *lines,
            ]
        )
    )
    # As the server's own account: it refuses to run as root, and the socket is closed to others.
    with (folder / "log").open("wb") as log:
        command = [program, str(folder / "pgbouncer.ini")]
        process = spawn(command, server.account, output=log.fileno())
    try:
        eventually(lambda: process.poll() is not None or _answers(port), "pgbouncer listens")
        assert process.poll() is None, (folder / "log").read_text()
        yield f"postgresql://{server.user}@127.0.0.1:{port}/{name}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
