"""`make run` on real processes: what it prints, keeps, replaces and leaves behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from devtools.launcher.client import call
from devtools.launcher.ports import free_port
from tests.devtools.launcher.launcher_process import ROOT, Launcher, eventually, launch, make

USER = """
import sys
from pathlib import Path
from devtools.embedded_postgres import ensure_running
ensure_running(Path(sys.argv[1]))
print("connected", flush=True)
sys.stdin.read()
"""
INSTANCE = {"name": "kept", "productName": "RTX 4090 24GB", "templateId": "212"}


def announced(run: Launcher) -> dict[str, list[str]]:
    """The printed lines by their first word."""
    run.wait_for("Ready")
    return {words[0]: words[1:] for words in map(str.split, run.output)}


@pytest.mark.long
def test_a_second_run_finds_what_the_first_one_left_and_neither_leaves_a_process(
    tmp_path: Path,
) -> None:
    variables = {"DATA_DIR": str(tmp_path / "with a space"), "PORT": str(free_port())}
    with make("run", tmp_path, **variables) as first:
        lines = announced(first)
        assert_announced_as_promised(lines, variables["PORT"])
        instance = create_instance(lines)
        assert_second_launcher_is_refused(tmp_path, variables)
        assert_killed_worker_is_replaced(first)
        with other_user_of_the_database(Path(variables["DATA_DIR"])):
            # To make alone, as a supervisor does it.
            first.popen.terminate()
            first.wait()
            assert eventually(lambda: not first.processes()), first.processes()
        assert len(first.output) == len(lines), "standard output is for the six lines alone"
    assert_secrets_are_private(Path(variables["DATA_DIR"]))
    with launch("run", tmp_path, **variables) as second:
        assert announced(second) == lines
        status, _ = call("GET", instance, key=lines["Key"][0])
        assert status == 200
        os.kill(second.popen.pid, signal.SIGKILL)
        second.wait()
        assert eventually(lambda: not second.processes()), second.processes()


@contextmanager
def other_user_of_the_database(data_dir: Path) -> Iterator[None]:
    """Somebody with an open shell: alone, the server would run for as long as that."""
    command = [sys.executable, "-c", USER, str(data_dir / "postgres")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as user:
        assert user.stdout
        assert user.stdout.readline() == b"connected\n"
        yield
        user.communicate()


def assert_announced_as_promised(lines: dict[str, list[str]], port: str) -> None:
    api = f"http://127.0.0.1:{port}"
    assert list(lines) == ["API", "Docs", "Admin", "Novita", "Key", "Ready"]
    assert lines["API"] == [api]
    assert lines["Docs"] == [f"{api}/api/docs"]
    assert lines["Admin"][:2] == [f"{api}/admin/", "admin"]
    assert len(lines["Admin"]) == 3
    assert lines["Novita"][0].startswith("http://127.0.0.1:")
    assert lines["Key"][0].startswith("nvt_")
    assert call("GET", f"{api}/readyz")[0] == 200


def create_instance(lines: dict[str, list[str]]) -> str:
    """The address of a new one."""
    url = f"{lines['API'][0]}/api/instances"
    status, answer = call("POST", url, key=lines["Key"][0], body=INSTANCE)
    assert status == 201, answer
    return f"{url}/{answer['instanceId']}"


def assert_second_launcher_is_refused(folder: Path, variables: dict[str, str]) -> None:
    with launch("run", folder, **{**variables, "PORT": str(free_port())}) as other:
        assert other.wait() == 1
        assert "uses" in other.complaints
        assert "DATA_DIR=" in other.complaints
        assert other.output == []


def assert_killed_worker_is_replaced(run: Launcher) -> None:
    killed = run.process("manage.py", "worker")
    killed.kill()
    assert eventually(lambda: "worker was killed by signal 9; starting it again" in run.complaints)
    assert eventually(lambda: has_other_worker(run, killed))


def has_other_worker(run: Launcher, killed: psutil.Process) -> bool:
    """The killed one may stay a zombie for a moment, which has no command line to read."""
    try:
        return any(
            process.pid != killed.pid and os.getsid(process.pid) == process.pid
            for process in run.processes()
            if "worker" in process.cmdline()
        )
    except (psutil.Error, ProcessLookupError):
        return False


def assert_secrets_are_private(data_dir: Path) -> None:
    assert data_dir.stat().st_mode & 0o777 == 0o700
    for name in ("api_key", "admin_password", "webhook_secret", "secret_key", "simulator.sqlite3"):
        assert (data_dir / name).stat().st_mode & 0o777 == 0o600, name
    assert {path.name for path in (data_dir / "logs").iterdir()} >= {"web.log", "worker.log"}


def test_a_taken_port_stops_the_start_before_anything_runs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with launch("run", tmp_path, DATA_DIR=str(tmp_path / "data"), PORT=port) as run:
            assert run.wait() == 1
    assert f"Port {port} on 127.0.0.1 is in use" in run.complaints
    assert run.output == []
    assert not (tmp_path / "data" / "postgres").exists()
    assert not (tmp_path / "data" / "logs").exists()


def test_an_upstream_without_a_key_stops_the_start(tmp_path: Path) -> None:
    variables = {"NOVITA_API_BASE_URL": "http://127.0.0.1:1", "DATA_DIR": str(tmp_path / "data")}
    with launch("run", tmp_path, **variables) as run:
        assert run.wait() == 1
    assert "NOVITA_API_KEY is not" in run.complaints
    assert not (tmp_path / "data").exists()


def test_every_fault_of_the_configuration_is_named_with_a_hint(tmp_path: Path) -> None:
    with launch("run", tmp_path, PORT="eighty", WEB_WORKERS="0") as run:
        assert run.wait() == 1
    assert "PORT: " in run.complaints
    assert "Hint: web port, 1 to 65535" in run.complaints
    assert "WEB_WORKERS: " in run.complaints
    assert "Traceback" not in run.complaints
