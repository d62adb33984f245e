"""The launcher as a real process, and everything that it started."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil

from devtools.launcher.environment import settings_names

ROOT = Path(__file__).resolve().parents[3]
# For a start on a machine that has ten other things to do.
DEADLINE_SECONDS = 150.0
_MARK = "NOVITAI_TEST_MARK"


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def unconfigured_environment() -> dict[str, str]:
    dropped = {*settings_names(), "MAKELEVEL", "MAKEFLAGS"}
    return {name: value for name, value in os.environ.items() if name not in dropped}


class Launcher:
    """Ended by force, with all it started, if a test leaves it running."""

    def __init__(self, command: list[str], folder: Path, **variables: str) -> None:
        self.mark = uuid.uuid4().hex
        self.stderr = folder / f"stderr-{self.mark}"
        self._stdout = folder / f"stdout-{self.mark}"
        environment = {**unconfigured_environment(), **variables, _MARK: self.mark}
        with self._stdout.open("wb") as stdout, self.stderr.open("wb") as stderr:
            self.popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def output(self) -> list[str]:
        return self._stdout.read_text().splitlines()

    @property
    def complaints(self) -> str:
        return self.stderr.read_text()

    def wait_for(self, line: str) -> None:
        """Fails when it ends instead."""

        def is_over() -> bool:
            return any(line in printed for printed in self.output) or self.popen.poll() is not None

        assert eventually(is_over), self.complaints
        assert any(line in printed for printed in self.output), self.complaints

    def wait(self) -> int:
        return self.popen.wait(DEADLINE_SECONDS)

    def processes(self) -> list[psutil.Process]:
        """Whatever it started that still runs, wherever it hides: environments are inherited."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def process(self, *words: str) -> psutil.Process:
        """The one that the launcher itself started by a command with these words in it."""
        found = [
            process
            for process in self.processes()
            if set(words) <= set(_command(process)) and _session(process) == process.pid
        ]
        assert len(found) == 1, found
        return found[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(20)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.environ().get(_MARK) == self.mark
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _session(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return 0


def launch(command: str, folder: Path, **variables: str) -> Launcher:
    return Launcher([sys.executable, "-m", "devtools.launcher", command], folder, **variables)


def make(target: str, folder: Path, **variables: str) -> Launcher:
    """By way of make, with the interpreter that runs the tests."""
    interpreters = Path(sys.executable).parent
    command = ["make", "--old-file=setup", target, f"VENV={interpreters}"]
    return Launcher(command, folder, **variables)
