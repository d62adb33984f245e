"""The whole service as real processes: simulator, receiver, web server, worker cluster."""

import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psutil
import psycopg
import requests
from django.db import connection
from psycopg import sql
from standardwebhooks import Webhook

from simulator.control import InstanceTruth
from simulator.process import ReceiverProcess, SimulatorProcess

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_dGVzdHMgb25seSwgdGVzdHMgb25seSwgdGVzdHM="
EXAMPLE = {
    "name": "my-gpu-instance",
    "productName": "A100-SXM4-40GB",
    "templateId": "tf-training-template-1",
    "gpuNum": 2,
    "rootfsSize": 100,
    "region": "US-WEST-01",
}


def wait_until(condition: Callable[[], Any], *, seconds: float = 30, what: str = "") -> Any:
    """Poll until the condition holds, and return what it returned."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain {what}"
        time.sleep(0.02)
    return result


class Process:
    """A command of the project in a process group of its own; ended with all its descendants."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path):
        self.name, self.command, self.environment, self._log = name, command, environment, log
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
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
        parent = psutil.Process(self.child.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self) -> int:
        """SIGTERM; whoever is left after that is a leak, and reported as one."""
        if self.child is None:
            return 0
        family = self.family()
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(timeout=20)
        _, leaked = psutil.wait_procs(family, timeout=3)
        for process in leaked:
            process.kill()
        assert not leaked, f"{self.name} left {leaked}"
        return code

    def kill(self) -> None:
        """kill -9 of every process at once, as a power cut would."""
        family = self.family()
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=5)
        if self.child is not None:
            self.child.wait(timeout=5)


class Stack:
    """A running service over the test database, and the truth on both sides of it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self._exit = ExitStack()
        self.simulator = SimulatorProcess(
            state=folder / "simulator.sqlite3",
            start_seconds=float(environment.pop("SIMULATED_START", "2")),
        )
        self.receiver = ReceiverProcess(secret=SECRET)
        self._overrides = environment
        self.url = ""
        self.key = ""

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.enter_context(self.simulator)
            starting.enter_context(self.receiver)
            self.database_url = starting.enter_context(copied_database())
            self.key = make_key(self.database_url)
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            environment = self._environment(port)
            gunicorn = [sys.executable, "-m", "gunicorn"]
            worker = [sys.executable, "manage.py", "worker"]
            self.web = Process("web", gunicorn, environment, self.folder / "web.log")
            self.worker = Process("worker", worker, environment, self.folder / "worker.log")
            for process in (self.web, self.worker):
                starting.callback(process.stop)
                process.start()
            wait_until(self._is_ready, seconds=90, what="for the stack")
            self._exit = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _environment(self, port: int) -> dict[str, str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NOVITA", "PROMETHEUS"))
        }
        return clean | {
            "DATABASE_URL": self.database_url,
            "NOVITA_API_BASE_URL": self.simulator.url,
            "NOVITA_API_KEY": self.simulator.api_key,
            "NOVITA_RATE_LIMIT": "60000",
            "WEBHOOK_SECRET": SECRET,
            "INSTANCE_POLL_INTERVAL": "0.5",
            "CREATE_SETTLE": "2",
            "NOVITA_TIMEOUT": "3",
            "PORT": str(port),
            "WEB_WORKERS": "1",
            "LOG_LEVEL": "INFO",
            "SECRET_KEY": "flows-only-" + "x" * 40,
            **self._overrides,
        }

    def another_worker(self) -> Process:
        """A second cluster, as another host would run one; the caller starts and stops it."""
        log = self.folder / "second-worker.log"
        return Process("second worker", self.worker.command, self.worker.environment, log)

    def _is_ready(self) -> bool:
        for process in (self.web, self.worker):
            assert process.child is not None
            assert process.child.poll() is None, self._log_tail()
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def _log_tail(self) -> str:
        logs = [path.read_text()[-3000:] for path in self.folder.glob("*.log")]
        return "\n".join(logs)

    # What a caller does

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **options)

    def create(self, **changes: Any) -> str:
        """POST the example request with some fields changed; returns the instance id."""
        name = f"flow-{secrets.token_hex(4)}"
        hook = self.receiver.control.url("/hook")
        body = EXAMPLE | {"name": name, "webhookUrl": hook} | changes
        answer = self.call("POST", "/api/instances", json=body)
        assert answer.status_code == 201, answer.text
        instance_id: str = answer.json()["instanceId"]
        return instance_id

    def get(self, instance_id: str) -> dict[str, Any]:
        answer = self.call("GET", f"/api/instances/{instance_id}")
        assert answer.status_code == 200, answer.text
        details: dict[str, Any] = answer.json()
        return details

    def wait_for(self, instance_id: str, *statuses: str, seconds: float = 30) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            details = self.get(instance_id)
            return details if details["status"] in statuses else None

        what = f"for {instance_id} to be {statuses}"
        details: dict[str, Any] = wait_until(reached, seconds=seconds, what=what)
        return details

    def truths(self, instance_id: str) -> list[InstanceTruth]:
        """Everything that was ever made upstream for an instance."""
        name = self.get(instance_id)["name"]
        ledger = self.simulator.control.ledger()
        return [truth for truth in ledger.instances if truth.name.startswith(f"{name}-")]

    def messages(self, instance_id: str | None = None) -> list[dict[str, Any]]:
        """What the receiver accepted, in order, each verified here as a receiver would."""
        verified = []
        for delivery in self.receiver.control.deliveries("/hook"):
            if delivery["status"] != 200:
                continue
            body = Webhook(SECRET).verify(delivery["body"], delivery["headers"])
            if instance_id in (None, body["instanceId"]):
                verified.append(body)
        return verified

    def wait_for_message(self, instance_id: str, type_: str, seconds: float = 30) -> dict[str, Any]:
        def arrived() -> dict[str, Any] | None:
            found = [m for m in self.messages(instance_id) if m["type"] == type_]
            return found[0] if found else None

        message: dict[str, Any] = wait_until(
            arrived, seconds=seconds, what=f"for {type_} of {instance_id}"
        )
        return message


@contextmanager
def running_stack(folder: Path, **environment: str) -> Iterator[Stack]:
    with Stack(folder, **environment) as stack:
        yield stack


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def copied_database() -> Iterator[str]:
    """A copy of the migrated test database for a stack of its own; yields its URL."""
    # Postgres copies a template only while nobody is connected to it.
    connection.close()
    template = str(connection.settings_dict["NAME"])
    name = f"{template}_{secrets.token_hex(4)}"
    with psycopg.connect(database_url("postgres"), autocommit=True) as maintenance:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        maintenance.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield database_url(name)
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            maintenance.execute(drop.format(sql.Identifier(name)))


def database_url(name: str) -> str:
    """A database of the server that the tests use, for other processes."""
    parameters = connection.get_connection_params()
    user = quote(str(parameters.get("user") or ""), safe="")
    password = quote(str(parameters.get("password") or ""), safe="")
    host = quote(str(parameters.get("host") or ""), safe="")
    port = f":{parameters['port']}" if parameters.get("port") else ""
    secret = f":{password}" if password else ""
    return f"postgresql://{user}{secret}@{host}{port}/{name}"


def make_key(url: str, project: str = "default") -> str:
    """A project and an API key, written as the service would write them."""
    key = f"nvt_{secrets.token_urlsafe(32)}"
    with psycopg.connect(url) as database:
        database.execute(
            """
            WITH made AS (
                INSERT INTO accounts_project (public_id, name, webhook_secret)
                VALUES (%s, %s, '') ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name
                RETURNING id
            )
            INSERT INTO accounts_apikey (public_id, project_id, name, start, digest)
            SELECT %s, id, 'flows', %s, %s FROM made
            """,
            [
                f"proj_{secrets.token_hex(12)}",
                project,
                f"key_{secrets.token_hex(12)}",
                key[:9],
                hashlib.sha256(key.encode()).hexdigest(),
            ],
        )
    return key
