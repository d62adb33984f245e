"""One part of the service, as a child process that ends with the launcher."""

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
    """A program in its own session, so that it gets no signals of the launcher's process group.

    Ctrl-C in a terminal reaches every process of the foreground group, but the parts must be
    stopped in order. Standard output and error go to `log`.
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

        Processes that it started and left behind are killed as well.
        """
        if self._popen is None:
            return True
        while self.is_running and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        ended = not self.is_running
        # The group is empty; macOS raises the second error then.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._popen = None
        return ended


def _die_with(launcher: int) -> Callable[[], None] | None:
    """Between fork and exec: the kernel is to send SIGTERM when the launcher dies, even by kill -9.

    prctl(2): this setting survives exec. Other systems have no such call; there, the parts go on if
    the launcher is killed with SIGKILL.
    """
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != launcher:
            os._exit(1)

    return prepare
