"""One part of the service as a child process that cannot outlive the launcher."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_POLL_SECONDS = 0.02


class Process:
    """A program with its own session, so that a signal to the launcher's group is the launcher's.

    Ctrl-C in a terminal reaches every process of the foreground group; the parts must end in
    order instead. Standard output and error go to `log`.
    """

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self._command = [sys.executable, *command]
        self._env = dict(env)
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Only from the main thread of a single-threaded launcher: Python runs after the fork."""
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )

    def exit_code(self) -> int | None:
        """None while it runs or before it was started; negative for a signal."""
        return self._popen.poll() if self._popen else None

    @property
    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def ask_to_end(self) -> None:
        if self._popen is not None and self.is_running:
            self._popen.send_signal(signal.SIGTERM)

    def end(self, deadline: float) -> bool:
        """Wait until `deadline` (monotonic seconds), then kill; False if it had to be killed.

        Whatever it started and left behind is killed with it.
        """
        if self._popen is None:
            return True
        while self.is_running and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        ended = not self.is_running
        # Nobody is left in the group; macOS says so with the second error.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._popen = None
        return ended


def _die_with(launcher: int) -> Callable[[], None] | None:
    """Between fork and exec: have the kernel send SIGTERM when the launcher dies, kill -9 included.

    prctl(2): the wish outlives exec. Other systems have no such call; there, parts whose launcher
    was killed with SIGKILL go on.
    """
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != launcher:
            os._exit(1)

    return prepare
