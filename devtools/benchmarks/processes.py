"""Measured programs: started in sessions of their own, frozen, measured, ended.

A session is found by its id even if its first process was killed: no forked process is missed.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def launch(command: Sequence[str], env: Mapping[str, str], log: Path, **how: Any) -> Any:
    """Start a program in a session of its own that ends when this process does."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **env},
            stderr=output,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),
            **{"stdin": subprocess.DEVNULL, "stdout": output, **how},
        )


@dataclass
class Tree:
    """A competitor's worker processes and all processes that they forked."""

    commands: Sequence[Sequence[str]]
    env: Mapping[str, str]
    log: Path

    def __post_init__(self) -> None:
        self._leaders: list[Any] = []

    def start(self) -> None:
        self._leaders = []
        for command in self.commands:
            self._leaders.append(launch(command, self.env, self.log))

    def members(self) -> list[psutil.Process]:
        return members([leader.pid for leader in self._leaders])

    def freeze(self) -> None:
        """Stop all its processes until ``thaw``; the queue is filled meanwhile."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to all of them."""
        while self.members():
            self._signal(signal.SIGKILL)
            self._reap()
            time.sleep(0.01)
        self._reap()

    def stop(self, *, seconds: float = 5.0) -> None:
        """SIGTERM to the leaders, wait, then kill the remaining processes."""
        for leader in self._leaders:
            with contextlib.suppress(ProcessLookupError):
                leader.terminate()
        deadline = time.monotonic() + seconds
        while self.members() and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        self.kill()

    def _signal(self, number: int) -> None:
        for process in self.members():
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                process.send_signal(number)

    def _reap(self) -> None:
        for leader in self._leaders:
            leader.poll()


def members(sessions: Sequence[int]) -> list[psutil.Process]:
    """The living processes of these sessions."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(pid) in sessions:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """User and system time of the processes and of their ended children."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


def memory_bytes(processes: Sequence[psutil.Process]) -> int:
    """Proportional set size: memory that forked processes share counts once."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            full = process.memory_full_info()
            total += getattr(full, "pss", full.rss)
    return total


def _die_with(parent: int) -> Callable[[], None] | None:
    """Between fork and exec: the kernel is to kill the child when we die (prctl(2); Linux only)."""
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
