"""POST, GET one and GET list at 16 connections: this service, FastAPI, and pgbench as the floor.

All on the same Postgres and the same tables, in turn, round after round. This service runs as in
production: the web server with its configuration, JSON logs of every request, metrics, rate limits.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from devtools.benchmarks import machine
from devtools.benchmarks.debian import DEBIAN_FOLDER
from devtools.benchmarks.http import floor, wrk
from devtools.benchmarks.processes import ROOT, Tree
from devtools.benchmarks.remote import BenchError
from devtools.benchmarks.setup import Setup

CONNECTIONS = 16
WEB_PROCESSES = 2
WEB_THREADS = 8
OURS, PEER, FLOOR = "novitai", "fastapi", "pgbench"
POST, GET, LIST = "POST", "GET one", "GET list"
# So high that no request of the measurement is refused.
_RATE = 1_000_000
_START_SECONDS = 60.0
_BODY = {"name": "bench", "productName": "RTX 4090 24GB", "templateId": "tpl-1"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement: requests a second, and their latency in milliseconds."""

    who: str
    what: str
    rate: float
    p50_ms: float
    p99_ms: float
    errors: int


@dataclass(frozen=True, slots=True)
class Site:
    """A measured server, with a key of it."""

    url: str
    key: str

    def post(self) -> str:
        """The id of a new instance. Raises OSError while the server does not answer."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/api/instances",
            data=json.dumps(_BODY).encode(),
            headers={
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            made: str = json.load(answer)["instanceId"]
        return made


def measure(setup: Setup, *, rounds: int, seconds: int, say: Callable[[str], None]) -> Any:
    """The raw figures of all rounds. Raises BenchError."""
    wrk_program = wrk.find(ROOT / DEBIAN_FOLDER)
    dsn = setup.postgres.database("bench_http")
    figures: list[Figure] = []
    with _sites(setup, dsn) as sites:
        ids = {who: site.post() for who, site in sites.items()}
        for number in range(1, rounds + 1):
            for who, site in sites.items():
                say(f"api, round {number} of {rounds}: {who}")
                for what, script, path in _calls(setup.folder, site.key, ids[who]):
                    found = wrk.run(wrk_program, site.url + path, script, CONNECTIONS, seconds)
                    figures.append(Figure(who, what, *found))
            say(f"api, round {number} of {rounds}: the bare transaction")
            found = floor.run(setup.postgres, "bench_http", CONNECTIONS, seconds, setup.folder)
            figures.append(Figure(FLOOR, POST, *found))
    return {
        "date": machine.today(),
        "machine": machine.describe(),
        "rounds": rounds,
        "seconds": seconds,
        "processes": WEB_PROCESSES,
        "threads": WEB_THREADS,
        "connections": CONNECTIONS,
        "figures": [asdict(figure) for figure in figures],
    }


def _calls(folder: Path, key: str, public_id: str) -> list[tuple[str, Path, str]]:
    return [
        (POST, wrk.script(folder, key, json.dumps(_BODY)), "/api/instances"),
        (GET, wrk.script(folder, key), f"/api/instances/{public_id}"),
        (LIST, wrk.script(folder, key), "/api/instances?limit=20"),
    ]


@contextmanager
def _sites(setup: Setup, dsn: str) -> Iterator[dict[str, Site]]:
    """Both servers, on the schema of this service, until the end."""
    info = setup.postgres.info
    database = f"postgresql://{info.user}@{quote(str(info.host), safe='')}:{info.port}/bench_http"
    env = {
        "DJANGO_SETTINGS_MODULE": "novitai.settings",
        "DATABASE_URL": database,
        "DATA_DIR": os.fspath(setup.folder / "data"),
        "SECRET_KEY": "of the benchmark alone, and of nothing else",
        "LOG_FORMAT": "json",
        "DEFAULT_MAX_INSTANCES": "0",
        "WEB_WORKERS": str(WEB_PROCESSES),
        "WEB_THREADS": str(WEB_THREADS),
        "BENCH_PEER_DATABASE": dsn,
    }
    _manage(env, "migrate", "--verbosity=0")
    key = _manage(env, "create_api_key", f"--rate-limit={_RATE}").strip()
    ours, peer = _free_port(), _free_port()
    binary = Path(sys.executable).parent
    commands = {
        ours: [sys.executable, "-m", "novitai.server"],
        peer: [
            *(os.fspath(binary / "uvicorn"), "devtools.benchmarks.http.peer:app"),
            *("--workers", str(WEB_PROCESSES), "--port", str(peer)),
            *("--log-level", "warning", "--no-access-log"),
        ],
    }
    log = setup.folder / "http.log"
    trees = [Tree([command], {**env, "PORT": str(port)}, log) for port, command in commands.items()]
    try:
        for tree in trees:
            tree.start()
        sites = {
            OURS: Site(f"http://127.0.0.1:{ours}", key),
            PEER: Site(f"http://127.0.0.1:{peer}", key),
        }
        for who, site in sites.items():
            _await(who, site, log)
        yield sites
    finally:
        for tree in trees:
            tree.stop()


def _manage(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"manage.py {arguments[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout


def _await(who: str, site: Site, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            site.post()
        except (OSError, urllib.error.HTTPError) as error:
            if time.monotonic() > deadline:
                raise BenchError(f"{who}: {error}: {log.read_text()[-500:]}") from None
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
