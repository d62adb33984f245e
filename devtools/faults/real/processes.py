"""Commands of the project as processes: started, frozen, killed, and never left behind."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil

ROOT = Path(__file__).resolve().parents[3]
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02

Found = TypeVar("Found")


class WaitedInVainError(AssertionError):
    """The condition did not become true in time."""


class LeakedError(AssertionError):
    """A command that was stopped left processes behind."""


def wait_until(condition: Callable[[], Found], *, seconds: float = 30, what: str = "") -> Found:
    """Poll until the condition holds, and return its result. Raises WaitedInVainError."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise WaitedInVainError(f"waited {seconds} s in vain {what}")
        time.sleep(POLL_SECONDS)
    return result


class Process:
    """A command of the project in its own process group; ended with all its descendants."""

    def __init__(
        self, name: str, command: list[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name, self.command, self.environment = name, command, dict(environment)
        self.log = log
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def family(self) -> list[psutil.Process]:
        if self.child is None or self.child.poll() is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.child.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def freeze(self) -> None:
        """Stop all its processes until ``thaw``, as on a paused machine."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> int:
        """Send SIGTERM; processes that still run afterwards are killed and reported as leaked."""
        if self.child is None:
            return 0
        family = self.family()
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(timeout=STOP_SECONDS)
        _, leaked = psutil.wait_procs(family, timeout=3)
        kill_all(leaked)
        if leaked:
            raise LeakedError(f"{self.name} left {leaked}")
        return code

    def kill(self) -> None:
        """kill -9 of every process at once, as in a power failure."""
        kill_at_once([self])

    def _signal(self, number: int) -> None:
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def kill_at_once(commands: Sequence[Process]) -> float:
    """kill -9 of all processes of these commands; returns the time (time.monotonic)."""
    family = [process for command in commands for process in command.family()]
    died = time.monotonic()
    kill_all(family)
    for command in commands:
        if command.child is not None:
            command.child.wait(timeout=5)
    return died


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """kill -9, and wait until none of them runs; those that have ended before are fine."""
    doomed = list(processes)
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not any(_runs(each) for each in doomed), seconds=5)


def _runs(process: psutil.Process) -> bool:
    """False for a zombie: an orphan stays one until its new parent collects it."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
