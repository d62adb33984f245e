"""Behind a real PgBouncer: it works when it is told, and is refused by name when it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devtools.faults.real.processes import free_port
from tests.core.database.servers import OwnServer, eventually, manage, pooler
from tests.core.database.test_outages import Service
from tests.support.web_server import ROOT, served

TRANSACTION = ("pool_mode = transaction", "default_pool_size = 5")
SESSION = ("pool_mode = session", "default_pool_size = 60")
OPTIONS_IGNORED = "ignore_startup_parameters = options,extra_float_digits"
PRINT_SETTINGS = (
    "from django.db import connection as c; x = c.cursor();"
    "x.execute('select current_setting(%s), current_setting(%s)', ['lock_timeout', 'DateStyle']);"
    "print(x.fetchone())"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pooler")


def start_web(url: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """For one that is expected to end at once."""
    return subprocess.run(
        [sys.executable, "-m", "novitai.server"],
        cwd=ROOT,
        env={**manage_environment(url), "PORT": str(free_port()), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def manage_environment(url: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url, "WEB_WORKERS": "1"}


def test_the_web_server_works_behind_a_pooler_in_transaction_mode(
    server: OwnServer, folder: Path
) -> None:
    with (
        pooler(folder / "works", server, "novitai", *TRANSACTION) as url,
        served(folder, url, DATABASE_POOLER="transaction") as web,
    ):
        service = Service(web, server, folder / "web.log")
        eventually(service.is_well, "well")
        with ThreadPoolExecutor(16) as pool:
            made = list(pool.map(lambda _: service.create(), range(60)))
            read = list(pool.map(lambda _: service.call("GET", "/api/instances"), range(200)))
            waited = [
                pool.submit(
                    service.call,
                    "GET",
                    f"/api/instances/{each.json()['instanceId']}/wait?timeout=2",
                )
                for each in made[:4]
            ]
        assert {answer.status_code for answer in made} == {201}
        assert {answer.status_code for answer in read} == {200}
        assert all(each.result().status_code == 200 for each in waited)
        assert service.call("GET", "/api/metrics").status_code == 200
        # The server's sessions were changed under it, and dropped.
        server.end_sessions()
        eventually(service.is_well, "well after the server's sessions were ended", seconds=10)


@pytest.mark.parametrize(
    ("lines", "commands"),
    [
        (TRANSACTION, ("web", "worker")),
        ((*TRANSACTION, OPTIONS_IGNORED), ("web", "migrate")),
        ((*SESSION, OPTIONS_IGNORED), ("worker",)),
    ],
)
def test_a_pooler_that_was_not_told_of_is_refused_by_name(
    server: OwnServer, tmp_path: Path, lines: tuple[str, ...], commands: tuple[str, ...]
) -> None:
    with pooler(tmp_path / "untold", server, "novitai", *lines) as url:
        for command in commands:
            environ = {"NOVITA_API_KEY": "x", "DATA_DIR": str(tmp_path / "data")}
            done = start_web(url) if command == "web" else manage(url, command, **environ)
            told = " ".join((done.stderr + done.stdout).split())
            assert done.returncode != 0
            assert "pooler" in told
            assert "DATABASE_POOLER" in told, told


def test_workers_and_migrations_are_refused_behind_a_transaction_pooler(
    server: OwnServer, tmp_path: Path
) -> None:
    with pooler(tmp_path / "workers", server, "novitai", *TRANSACTION) as url:
        for command in ("worker", "migrate"):
            done = manage(
                url,
                command,
                DATABASE_POOLER="transaction",
                NOVITA_API_KEY="x",
                DATA_DIR=str(tmp_path / "data"),
            )
            assert done.returncode != 0
            assert "connection pooler in transaction mode" in " ".join(done.stderr.split())


def test_a_mode_that_is_named_wrongly_is_found_out(server: OwnServer, tmp_path: Path) -> None:
    with pooler(tmp_path / "wrong", server, "novitai", *TRANSACTION) as url:
        done = manage(url, "migrate", DATABASE_POOLER="session")
        assert done.returncode != 0
        assert "is in transaction mode" in " ".join(done.stderr.split())


def test_a_pool_in_session_mode_gets_the_limits_of_each_session(
    server: OwnServer, tmp_path: Path
) -> None:
    with pooler(tmp_path / "session", server, "novitai", *SESSION) as url:
        done = manage(url, "shell", "-v", "0", "-c", PRINT_SETTINGS, DATABASE_POOLER="session")
        assert done.stdout.strip() == "('10s', 'ISO, MDY')", done.stderr
        assert manage(url, "migrate", DATABASE_POOLER="session").returncode == 0
