"""Parts that die, that do not end, and that outlive nobody."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from devtools.launcher.errors import LaunchError
from devtools.launcher.process import ROOT
from devtools.launcher.shutdown import Shutdown
from devtools.launcher.stack import Stack
from tests.devtools.launcher.launcher_process import eventually

# Without embedded Postgres: there is none to stop.
ENVIRONMENT = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
STUBBORN = (
    "import signal, subprocess, sys\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    "print(child.pid, flush=True)\n"
    "signal.pause()"
)
STARTER = """
import os, sys
from pathlib import Path
from devtools.launcher.process import Process
process = Process("part", ["-c", "import signal; signal.pause()"], os.environ, Path(sys.argv[1]))
process.start()
print(process._popen.pid, flush=True)
sys.stdin.read()
"""


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_part_that_dies_during_the_start_stops_it_with_the_end_of_its_log(
    tmp_path: Path, shutdown: Shutdown
) -> None:
    with Stack(tmp_path, ENVIRONMENT, shutdown) as stack:
        stack.start("web", "-c", "import sys; sys.exit('no such luck')")
        with pytest.raises(LaunchError, match=r"(?s)web ended with exit code 1.*no such luck"):
            stack.wait_until_ready("http://127.0.0.1:1")


def test_a_command_that_must_succeed_and_does_not_stops_the_start(
    tmp_path: Path, shutdown: Shutdown
) -> None:
    with (
        Stack(tmp_path, ENVIRONMENT, shutdown) as stack,
        pytest.raises(LaunchError, match=r"(?s)prepare ended with exit code 3.*told you"),
    ):
        stack.run_once("prepare", "-c", "print('told you'); raise SystemExit(3)")


def test_a_part_that_never_stays_alive_ends_the_launcher(
    tmp_path: Path, shutdown: Shutdown
) -> None:
    with Stack(tmp_path, ENVIRONMENT, shutdown, max_deaths=1) as stack:
        stack.start("worker", "-c", "raise SystemExit(4)")
        with pytest.raises(LaunchError, match="does not stay alive"):
            stack.watch()


def test_whoever_does_not_end_in_time_is_killed_with_its_children(
    tmp_path: Path, shutdown: Shutdown
) -> None:
    with Stack(tmp_path, ENVIRONMENT, shutdown, stop_seconds=0.1) as stack:
        process = stack.start("worker", "-c", STUBBORN)
        assert eventually(lambda: process.log.read_text().endswith("\n"))
        child = int(process.log.read_text())
    assert not process.is_running
    assert eventually(lambda: has_ended(child))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel tells children")
def test_kill_9_of_the_launcher_ends_its_parts(tmp_path: Path) -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "part.log")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert launcher.stdout
    assert launcher.stdin
    part = int(launcher.stdout.readline())
    assert not has_ended(part)
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    launcher.stdout.close()
    launcher.stdin.close()
    assert eventually(lambda: has_ended(part))
