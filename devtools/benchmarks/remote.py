"""The measuring side of ``benchmarks/driver.py`` and of programs that answer one request."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devtools.benchmarks.processes import launch


class BenchError(Exception):
    """A competitor cannot be measured; the text says why, with the end of its log."""


class Driver:
    """A client of one competitor. Use as a context manager."""

    def __init__(self, client: str, env: Mapping[str, str], log: Path) -> None:
        self._log = log
        command = [sys.executable, "-m", "devtools.benchmarks.driver", client]
        self._process = launch(command, env, log, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        self._answer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def send(self, action: str, **arguments: Any) -> None:
        """Send a request without waiting; ``receive`` returns the answer."""
        request = json.dumps({"action": action, **arguments}) + "\n"
        try:
            self._process.stdin.write(request.encode())
            self._process.stdin.flush()
        except OSError as error:
            raise self._error() from error

    def receive(self) -> Any:
        return self._answer()

    def ask(self, action: str, **arguments: Any) -> Any:
        """Raises BenchError if the driver fails."""
        self.send(action, **arguments)
        return self._answer()

    def _answer(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise self._error()
        return json.loads(line)["value"]

    def _error(self) -> BenchError:
        return BenchError(last_line(self._log) or "it ended without output")


def answer_of(module: str, request: Any, env: Mapping[str, str], log: Path) -> Any:
    """Run ``python -m module`` with the request as JSON on its input; its last line is the answer.

    Raises BenchError.
    """
    process = launch(
        [sys.executable, "-m", module], env, log, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        output, _ = process.communicate(json.dumps(request).encode())
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0 or not output.strip():
        raise BenchError(last_line(log) or f"{module} ended with {process.returncode}")
    return json.loads(output.splitlines()[-1])


def last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""
