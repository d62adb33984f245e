"""The whole service as real processes: simulator, receiver, web servers, worker clusters."""

import os
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests

from devtools.faults.real.caller import EXAMPLE, SECRET, Caller, make_key
from devtools.faults.real.databases import Database, OwnServer
from devtools.faults.real.processes import Process, free_port, wait_until
from devtools.faults.real.proxy import Proxy
from devtools.simulator.process import ReceiverProcess, SimulatorProcess

SECRET_KEY = "flows-only-" + "x" * 40
__all__ = ["EXAMPLE", "SECRET", "Shape", "Stack", "wait_until"]

START_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Shape:
    """The number of processes of a stack, and the proxies around it."""

    webs: int = 1
    clusters: int = 1
    has_database_proxy: bool = False
    has_upstream_proxy: bool = False


class Stack(Caller):
    """A running service on its own database, with the ledgers on both sides of it."""

    def __init__(
        self,
        folder: Path,
        database: AbstractContextManager[Database],
        shape: Shape = Shape(),
        /,
        **environment: str,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.crash_points = folder / "crash-points"
        self._exit = ExitStack()
        self._made_database, self._shape = database, shape
        self.simulator = SimulatorProcess(
            state=folder / "simulator.sqlite3",
            start_seconds=float(environment.pop("SIMULATED_START", "2")),
        )
        self.receiver = ReceiverProcess(secret=SECRET)
        self._overrides = environment
        self.webs: list[Process] = []
        self.clusters: list[Process] = []
        self.urls: list[str] = []
        # The database server, if a scenario may kill it.
        self.own_server: OwnServer | None = None
        self.database_proxy: Proxy | None = None
        self.upstream_proxy: Proxy | None = None

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.enter_context(self.simulator)
            starting.enter_context(self.receiver)
            self.database = starting.enter_context(self._made_database)
            self.database_url = self.database.url
            self.key = make_key(self.database_url)
            self.crash_points.mkdir(exist_ok=True)
            self._set_up_proxies(starting)
            self._make_processes()
            for process in (*self.webs, *self.clusters):
                starting.callback(process.stop)
                process.start()
            wait_until(self.is_ready, seconds=START_SECONDS, what="for the stack")
            self._exit = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    @property
    def web(self) -> Process:
        return self.webs[0]

    @property
    def worker(self) -> Process:
        return self.clusters[0]

    def another_worker(self, **environment: str) -> Process:
        """Another cluster, as on another host; the caller starts and stops it."""
        log = self.folder / f"worker-{len(self.clusters) + 1}.log"
        variables = self.worker.environment | environment
        return Process("another worker", self.worker.command, variables, log)

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """Connect to the database itself, not through a proxy."""
        return psycopg.connect(self.database_url, autocommit=True)

    @property
    def start_seconds(self) -> float:
        """The shortest time after which a start may be called failed."""
        limits = (("INSTANCE_START_TIMEOUT", "600"), ("INSTANCE_STUCK_TIMEOUT", "300"))
        return min(float(self._overrides.get(name, default)) for name, default in limits)

    def is_ready(self) -> bool:
        """True if every web process answers and sees a worker."""
        for process in (*self.webs, *self.clusters):
            if process.child is None or process.child.poll() is not None:
                raise RuntimeError(f"{process.name} has ended: {self.log_tail()}")
        try:
            return all(
                requests.get(f"{url}/readyz", timeout=5).status_code == 200
                and _workers_seen_by(url)
                for url in self.urls
            )
        except requests.RequestException:
            return False

    def log_tail(self) -> str:
        logs = [path.read_text()[-3000:] for path in self.folder.glob("*.log")]
        return "\n".join(logs)

    def _set_up_proxies(self, starting: ExitStack) -> None:
        if self._shape.has_database_proxy:
            self.database_proxy = starting.enter_context(Proxy(self.database.server.address))
        if self._shape.has_upstream_proxy:
            parts = urlsplit(self.simulator.url)
            target = (parts.hostname or "127.0.0.1", parts.port or 80)
            self.upstream_proxy = starting.enter_context(Proxy(target))

    def _make_processes(self) -> None:
        server = [sys.executable, "-m", "novitai.server"]
        worker = [sys.executable, "manage.py", "worker"]
        for number in range(self._shape.webs):
            port, name = free_port(), _numbered("web", number)
            log = self.folder / f"{name}.log"
            self.webs.append(Process(name, server, self._environment(port), log))
            self.urls.append(f"http://127.0.0.1:{port}")
        for number in range(self._shape.clusters):
            name = _numbered("worker", number)
            log = self.folder / f"{name}.log"
            self.clusters.append(Process(name, worker, self._environment(free_port()), log))
        self.url = self.urls[0]

    def _environment(self, port: int) -> dict[str, str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NOVITA", "PROMETHEUS"))
        }
        return clean | {
            "DATABASE_URL": self._served_database_url(),
            # Files that a killed process leaves are removed with the folder.
            "TMPDIR": os.fspath(self.folder),
            "NOVITA_API_BASE_URL": self._served_upstream_url(),
            "NOVITA_API_KEY": self.simulator.api_key,
            "NOVITA_RATE_LIMIT": "60000",
            "WEBHOOK_SECRET": SECRET,
            "INSTANCE_POLL_INTERVAL": "0.5",
            "CREATE_SETTLE": "2",
            "NOVITA_TIMEOUT": "3",
            "PORT": str(port),
            "WEB_WORKERS": "1",
            "LOG_LEVEL": "INFO",
            "SECRET_KEY": SECRET_KEY,
            "CRASH_POINTS": str(self.crash_points),
            **self._overrides,
        }

    def _served_database_url(self) -> str:
        if self.database_proxy is None:
            return self.database_url
        return self.database.server.through(self.database_proxy.port).url(self.database.name)

    def _served_upstream_url(self) -> str:
        parts = urlsplit(self.simulator.url)
        if self.upstream_proxy is None:
            return self.simulator.url
        return urlunsplit(parts._replace(netloc=f"127.0.0.1:{self.upstream_proxy.port}"))


def _numbered(name: str, number: int) -> str:
    return name if number == 0 else f"{name}-{number + 1}"


def _workers_seen_by(url: str) -> int:
    """/health always contains the number of workers."""
    dependencies = requests.get(f"{url}/health", timeout=5).json()["dependencies"]
    return int(dependencies.get("jobQueue", {}).get("workers", 0))
