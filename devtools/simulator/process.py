"""The simulator and the receiver as real processes, started and stopped by a `with` statement."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from devtools.simulator.control import ReceiverControl, SimulatorControl

ROOT = Path(__file__).resolve().parents[2]
START_DEADLINE_SECONDS = 30
STOP_DEADLINE_SECONDS = 10


class ServerProcess:
    """A child process that prints its URL as the second word of its first line."""

    def __init__(self, module: str, port: int = 0) -> None:
        self._module = module
        self._port = port
        self._child: subprocess.Popen[str] | None = None
        self.url = ""

    def options(self) -> list[str]:
        return []

    def secrets(self) -> dict[str, str]:
        """Variables for the child's environment: all users can read arguments."""
        return {}

    def start(self) -> None:
        """Raises RuntimeError if the child does not print its URL in time."""
        command = [sys.executable, "-m", self._module, "--port", str(self._port)]
        self._child = subprocess.Popen(
            [*command, "--end-with-parent", *self.options()],
            cwd=ROOT,
            env={**os.environ, **self.secrets()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._announced_url()
        # A restarted server must have the address that its clients know.
        self._port = urlsplit(self.url).port or 0

    def _announced_url(self) -> str:
        child = self._running()
        assert child.stdout is not None  # noqa: S101 - it was opened as a pipe
        ready, _, _ = select.select([child.stdout], [], [], START_DEADLINE_SECONDS)
        words = child.stdout.readline().split() if ready else []
        if len(words) < 2:
            self.kill()
            raise RuntimeError(f"{self._module} did not start")
        return words[1]

    @property
    def pid(self) -> int:
        return self._running().pid

    def stop(self) -> int:
        """End it with SIGTERM; returns the exit code, negative for a signal."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it with SIGKILL, like a power failure."""
        return self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same port, after `stop` or `kill`."""
        if self._child is not None:
            self.stop()
        self.start()

    def _end(self, number: signal.Signals) -> int:
        child, self._child = self._running(), None
        child.send_signal(number)
        try:
            code = child.wait(STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        if child.stdout is not None:
            child.stdout.close()
        return code

    def _running(self) -> subprocess.Popen[str]:
        if self._child is None:
            raise RuntimeError(f"{self._module} is not running")
        return self._child

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None:
            self.stop()


class SimulatorProcess(ServerProcess):
    """`url` is the API's base URL; without `state` the state is in a temporary folder."""

    def __init__(
        self,
        *,
        state: Path | None = None,
        api_key: str = "sim-key",
        time_scale: float | None = None,
        start_seconds: float | None = None,
        seed: int = 0,
        port: int = 0,
        endpoint_host: str = "",
    ) -> None:
        super().__init__("devtools.simulator", port)
        self._endpoint_host = endpoint_host
        self._folder = None if state else tempfile.TemporaryDirectory(prefix="simulator-")
        self.state = state or Path(self._folder.name if self._folder else "") / "state.sqlite3"
        self.api_key = api_key
        self._time_scale = time_scale
        self._start_seconds = start_seconds
        self._seed = seed

    def options(self) -> list[str]:
        given = [f"--state={self.state}", f"--seed={self._seed}"]
        if self._endpoint_host:
            given.append(f"--endpoint-host={self._endpoint_host}")
        if self.url:
            return given  # On a restart the state file has the values.
        if self._time_scale is not None:
            given.append(f"--time-scale={self._time_scale}")
        if self._start_seconds is not None:
            given.append(f"--start-seconds={self._start_seconds}")
        return given

    def secrets(self) -> dict[str, str]:
        return {"SIMULATOR_API_KEY": self.api_key}

    @property
    def control(self) -> SimulatorControl:
        return SimulatorControl(self.url)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._folder is not None:
            self._folder.cleanup()


class ReceiverProcess(ServerProcess):
    """A webhook receiver; `control.url("/path")` is an address to deliver to."""

    def __init__(self, *, secret: str = "", port: int = 0) -> None:
        super().__init__("devtools.simulator.receiver", port)
        self._secret = secret

    def secrets(self) -> dict[str, str]:
        return {"RECEIVER_SECRET": self._secret}

    @property
    def control(self) -> ReceiverControl:
        return ReceiverControl(self.url)
