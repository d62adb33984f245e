"""``manage.py worker`` and a Postgres that is killed under it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from devtools.embedded_postgres import find_running, stop
from tests.jobs.commands import ROOT, Command, environment

_ENQUEUE = """
INSERT INTO jobs_job (public_id, type, subject, payload, error, errors, worker, request_id)
VALUES (%s, 'noop', '', '{}', '', '[]', '', '')
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    """The folder of an embedded server of its own, with the service's tables."""
    variables = {**environment(), "DATA_DIR": str(tmp_path)}
    del variables["TEST_DATABASE"]
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=variables, check=True)
    yield tmp_path / "postgres"
    stop(tmp_path / "postgres")


def run_sql(server: Path, statement: str, *parameters: str) -> list[tuple[str]]:
    info = find_running(server)
    assert info is not None
    with psycopg.connect(info.url) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def is_done(server: Path, job: str) -> bool:
    try:
        rows = run_sql(server, "SELECT status FROM jobs_job WHERE public_id = %s", job)
    except (AssertionError, psycopg.OperationalError):
        return False  # It is starting again.
    return rows == [("completed",)]


@pytest.mark.django_db
def test_work_goes_on_after_postgres_was_killed(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(server.parent))
    command = Command(server.parent / "worker.log", without=["TEST_DATABASE"])
    try:
        command.eventually(command.is_complete)
        command.eventually(lambda: find_running(server) is not None)
        run_sql(server, _ENQUEUE, "before")
        command.eventually(lambda: is_done(server, "before"))
        postmaster = psutil.Process(int((server / "cluster/postmaster.pid").read_text().split()[0]))
        family = [postmaster, *postmaster.children()]
        for each in family:
            with suppress(psutil.NoSuchProcess):  # Backends come and go.
                each.kill()
        psutil.wait_procs(family, timeout=10)
        command.eventually(lambda: find_running(server) is not None, seconds=15)
        run_sql(server, _ENQUEUE, "after")
        command.eventually(lambda: is_done(server, "after"), seconds=15)
        assert command.is_complete()
    finally:
        command.end()
