"""All parts: started in order, watched, restarted when they die, stopped."""

import contextlib
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devtools.embedded_postgres import EmbeddedPostgresError, stop
from devtools.launcher.client import Unanswered, call
from devtools.launcher.errors import LaunchError
from devtools.launcher.logs import LogFollower, fresh_log, tail
from devtools.launcher.process import Process
from devtools.launcher.shutdown import Shutdown

START_SECONDS = 120.0
# The worker cluster stops within ten seconds.
STOP_SECONDS = 11.0
OTHERS_STOP_SECONDS = 2.0
POSTGRES_STOP_SECONDS = 10.0
# Deaths in a row, each within HEALTHY_SECONDS of a start; after more, restarts will not help.
MAX_DEATHS = 5
HEALTHY_SECONDS = 60.0
_POLL_SECONDS = 0.05
_ANNOUNCEMENT = re.compile(r"^(?:Simulator|Receiver) (http://\S+)$", re.MULTILINE)


@dataclass
class Part:
    """A process that must run, with its restarts so far."""

    process: Process
    follower: LogFollower
    started_at: float
    may_end: bool = False
    deaths: int = 0
    due_at: float | None = None
    """When to start it again, in monotonic seconds."""


class Stack:
    """A context manager: at its exit, everything that was started has ended."""

    def __init__(
        self,
        data_dir: Path,
        environ: Mapping[str, str],
        shutdown: Shutdown,
        *,
        stop_seconds: float = STOP_SECONDS,
        max_deaths: int = MAX_DEATHS,
    ) -> None:
        self.data_dir = data_dir
        self._stop_seconds = stop_seconds
        self._max_deaths = max_deaths
        self.environ = dict(environ)
        self._shutdown = shutdown
        self._parts: list[Part] = []

    def start(self, name: str, *command: str) -> Process:
        return self._start(name, command).process

    def run_once(self, name: str, *command: str) -> None:
        """Run a command that must succeed before the next step. Raises LaunchError with its log."""
        part = self._start(name, command, may_end=True)
        self._wait(lambda: not part.process.is_running, f"{name} did not finish")
        if part.process.exit_code() != 0:
            raise LaunchError(_obituary(part))
        self._parts.remove(part)
        part.process.end(0)

    def announced_url(self, process: Process) -> str:
        """The address that the simulator or the receiver prints once it listens."""
        found: list[str] = []

        def has_announced() -> bool:
            match = _ANNOUNCEMENT.search(process.log.read_text(errors="replace"))
            found.extend([match[1]] if match else [])
            return match is not None

        self._wait(has_announced, f"{process.name} did not start")
        return found[0]

    def wait_until_ready(self, url: str) -> None:
        """Wait until requests are served and a worker is alive."""
        answers: list[object] = ["no answer"]

        def is_ready() -> bool:
            try:
                status, answers[0] = call("GET", f"{url}/readyz")
                return status == 200 and _has_worker(call("GET", f"{url}/health")[1])
            except Unanswered:
                return False

        self._wait(is_ready, f"{url}/readyz is not ready", lambda: f": {answers[0]}")

    def watch(self) -> None:
        """Watch the parts and restart those that die: all their state is on disk.

        Raises ToldToEnd at the end, or LaunchError if a part does not stay alive.
        """
        while True:
            self._shutdown.sleep(0.3)
            for part in self._parts:
                self._show_errors(part)
                self._keep_alive(part)

    def sleep(self, seconds: float) -> None:
        """Raises ToldToEnd if the launcher must end, LaunchError if a part died."""
        self._shutdown.sleep(seconds)
        for part in self._parts:
            if not (part.process.is_running or part.may_end):
                raise LaunchError(_obituary(part))

    def logs(self) -> str:
        """The last lines of every part's log."""
        parts = ((part.process.name, tail(part.process.log)) for part in self._parts)
        return "\n".join(f"--- {name}.log\n{text}" for name, text in parts if text)

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *_: object) -> None:
        """Stop web and worker together, then the servers that they call, the database last."""
        servers = [part for part in self._parts if part.process.name in ("web", "worker")]
        others = [part for part in self._parts if part not in servers]
        for group, seconds in ((servers, self._stop_seconds), (others, OTHERS_STOP_SECONDS)):
            deadline = time.monotonic() + seconds
            for part in group:
                part.process.ask_to_end()
            for part in group:
                if not part.process.end(deadline):
                    say(f"{part.process.name} did not end in time and was killed.")
        self._stop_postgres()

    def _stop_postgres(self) -> None:
        if self.environ.get("DATABASE_URL") or self.environ.get("DATABASE_URL_FILE"):
            return
        try:
            stop(self.data_dir / "postgres", timeout_seconds=POSTGRES_STOP_SECONDS)
        except EmbeddedPostgresError as error:
            say(str(error))

    def _start(self, name: str, command: Sequence[str], *, may_end: bool = False) -> Part:
        log = fresh_log(self.data_dir / "logs" / f"{name}.log")
        process = Process(name, command, self.environ, log)
        part = Part(process, LogFollower(log), time.monotonic(), may_end)
        self._parts.append(part)
        process.start()
        return part

    def _wait(
        self, condition: Callable[[], bool], problem: str, details: Callable[[], str] = str
    ) -> None:
        """Poll. If a part dies meanwhile, raise: a restart during the start would not help."""
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise LaunchError(f"{problem}{details()}\n{self.logs()}")
            self.sleep(_POLL_SECONDS)

    def _show_errors(self, part: Part) -> None:
        for line in part.follower.new_errors():
            say(f"{part.process.name} | {line}")

    def _keep_alive(self, part: Part) -> None:
        now = time.monotonic()
        if part.due_at is not None:
            if now >= part.due_at:
                part.due_at, part.started_at = None, now
                part.process.start()
        elif not part.process.is_running:
            part.deaths = part.deaths + 1 if now - part.started_at < HEALTHY_SECONDS else 1
            if part.deaths > self._max_deaths:
                raise LaunchError(
                    f"{_obituary(part)}\nIt does not stay alive after several restarts."
                )
            pause = 2 ** (part.deaths - 1)
            say(f"{_cause(part)}; starting it again in {pause} s.")
            # Its remaining children must not run beside those of the new process.
            part.process.end(now)
            part.due_at = now + pause


def _cause(part: Part) -> str:
    code = part.process.exit_code()
    how = f"was killed by signal {-code}" if code and code < 0 else f"ended with exit code {code}"
    return f"{part.process.name} {how}"


def _obituary(part: Part) -> str:
    log = part.process.log
    return f"{_cause(part)}. The end of {log}:\n{tail(log)}"


def say(text: str) -> None:
    """Print to stderr; stdout is for the result.

    A closed terminal must not prevent the stop of the other parts.
    """
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def _has_worker(health: object) -> bool:
    """/readyz does not check workers; /health always contains their number."""
    queue = health.get("dependencies", {}).get("jobQueue", {}) if isinstance(health, dict) else {}
    return bool(queue.get("workers"))
