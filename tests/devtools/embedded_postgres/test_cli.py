"""`python -m devtools.embedded_postgres`."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg

from tests.devtools.embedded_postgres.conftest import StartUser
from tests.devtools.embedded_postgres.processes import environment, is_gone


def test_url_leads_to_the_running_server(data_dir: Path, start_user: StartUser) -> None:
    started = start_user(data_dir).answer()["started"]
    found = _run("url", data_dir)

    with psycopg.connect(found.stdout.strip()) as connection:
        row = connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()
    assert (found.returncode, row) == (0, (started,))


def test_status_says_whether_a_server_runs_and_starts_none(
    empty_dir: Path, start_user: StartUser
) -> None:
    before = _run("status", empty_dir)
    assert (before.returncode, before.stdout, empty_dir.exists()) == (3, "stopped\n", False)

    start_user(empty_dir).answer()
    assert _run("status", empty_dir).stdout.startswith("running: postgresql://novitai@/novitai?")


def test_stop_returns_when_all_is_gone(data_dir: Path, start_user: StartUser) -> None:
    start_user(data_dir).answer()

    found = _run("stop", data_dir)

    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert is_gone(data_dir)
    assert _run("url", data_dir).returncode == 3


def test_stop_of_a_stopped_server_is_fine(empty_dir: Path) -> None:
    assert _run("stop", empty_dir).returncode == 0


def _run(command: str, data_dir: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "devtools.embedded_postgres", command, os.fspath(data_dir)],
        env=environment(),
        capture_output=True,
        text=True,
        cwd="/",
    )
