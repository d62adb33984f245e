"""Measures deliveries on a real worker cluster, with receivers and a publisher of their own."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from devtools.benchmarks import machine
from devtools.benchmarks.processes import ROOT, Tree
from devtools.benchmarks.remote import BenchError
from devtools.benchmarks.setup import Setup

ENDPOINTS = 200
HANGING = 40
FLOOD = 300
RATE = 100.0
BACKLOG = 3_000
_LONGEST_WAIT = 60.0

Times = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Programs:
    """The processes of a measurement."""

    publisher: "subprocess.Popen[str]"
    ports: list[int]
    worker: Tree

    def ask(self, **command: Any) -> Any:
        """One command of the publisher and its answer."""
        stdin, stdout = self.publisher.stdin, self.publisher.stdout
        assert stdin is not None  # noqa: S101 - it has pipes
        assert stdout is not None  # noqa: S101 - as above
        stdin.write(json.dumps(command) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise BenchError("the publisher has ended")
        return json.loads(line)

    def endpoints(self, project: str, path: str, ports: list[int]) -> list[str]:
        urls = [f"http://127.0.0.1:{port}{path}" for port in ports]
        subjects: list[str] = self.ask(verb="endpoints", project=project, urls=urls)
        return subjects

    def publish(self, project: str, subjects: list[str], count: int, rate: float = 0) -> Times:
        """The time of each message's commit."""
        told = self.ask(verb="publish", project=project, subjects=subjects, count=count, rate=rate)
        return dict(told)

    def arrivals(self, awaited: Times) -> Times:
        """The time at which each message arrived first. Raises BenchError if some do not."""
        found: dict[str, float] = {}
        deadline = time.monotonic() + _LONGEST_WAIT
        while missing := awaited.keys() - found.keys():
            if time.monotonic() > deadline:
                raise BenchError(f"{len(missing)} of {len(awaited)} messages did not arrive")
            time.sleep(0.2)
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[0]}/arrivals") as answer:
                for name, at in json.load(answer):
                    found.setdefault(name, at)
        return found


def measure(setup: Setup, *, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Milliseconds from commit to arrival by scenario, and messages a second, of all rounds."""
    figures: list[dict[str, Any]] = []
    for number in range(1, rounds + 1):
        with _programs(setup, f"bench_webhooks_{number}") as programs:
            for name, scenario in SCENARIOS.items():
                say(f"webhooks, round {number} of {rounds}: {name}")
                figures.append({"what": name, **scenario(programs)})
    return {
        "date": machine.today(),
        "machine": machine.describe(),
        "rounds": rounds,
        "figures": figures,
    }


def _idle(programs: Programs) -> dict[str, Any]:
    subjects = programs.endpoints("idle", "/ok", programs.ports[:1])
    return _latencies(programs, programs.publish("idle", subjects, 200, rate=10))


def _healthy(programs: Programs) -> dict[str, Any]:
    subjects = programs.endpoints("healthy", "/ok", programs.ports)
    return _latencies(programs, programs.publish("healthy", subjects, 2_000, rate=RATE))


def _some_hang(programs: Programs) -> dict[str, Any]:
    """The messages of the healthy endpoints, while one event in five goes to one that hangs."""
    good = programs.endpoints("mixed", "/ok", programs.ports[HANGING:])
    bad = programs.endpoints("mixed", "/hang", programs.ports[:HANGING])
    step = len(good) // len(bad)
    mixed = [
        subject
        for number, hanging in enumerate(bad)
        for subject in [hanging, *good[number * step : (number + 1) * step]]
    ]
    written = programs.publish("mixed", mixed, 2_000, rate=RATE)
    hanging_ids = {
        name for place, name in enumerate(written) if mixed[place % len(mixed)] in set(bad)
    }
    healthy = {name: at for name, at in written.items() if name not in hanging_ids}
    return _latencies(programs, healthy)


def _beside_a_flood(programs: Programs) -> dict[str, Any]:
    """Messages of one project, while 300 receivers of another one hang."""
    mine = programs.endpoints("victim", "/ok", programs.ports[:1])
    theirs = programs.endpoints(
        "flood", "/hang", [programs.ports[n % ENDPOINTS] for n in range(FLOOD)]
    )
    programs.publish("flood", theirs, FLOOD)
    return _latencies(programs, programs.publish("victim", mine, 60, rate=3))


def _backlog(programs: Programs) -> dict[str, Any]:
    """Messages a second of what had gathered while no worker ran."""
    programs.worker.stop()
    subjects = programs.endpoints("backlog", "/ok", programs.ports)
    written = programs.publish("backlog", subjects, BACKLOG)
    programs.worker.start()
    arrived = programs.arrivals(written)
    times = sorted(arrived[name] for name in written)
    return {"rate": (len(times) - 1) / (times[-1] - times[0])}


SCENARIOS: Mapping[str, Callable[[Programs], dict[str, Any]]] = {
    "idle": _idle,
    "healthy": _healthy,
    "some hang": _some_hang,
    "beside a flood": _beside_a_flood,
    "backlog": _backlog,
}


def _latencies(programs: Programs, written: Times) -> dict[str, Any]:
    arrived = programs.arrivals(written)
    found = sorted((arrived[name] - at) * 1000 for name, at in written.items())
    return {
        "p50_ms": found[len(found) // 2],
        "p95_ms": found[int(len(found) * 0.95)],
        "max_ms": found[-1],
    }


@contextmanager
def _programs(setup: Setup, database: str) -> Iterator[Programs]:
    env = _environment(setup, database)
    _run([sys.executable, "manage.py", "migrate", "--verbosity=0"], env)
    worker = Tree([[sys.executable, "manage.py", "worker"]], env, setup.folder / "webhooks.log")
    module = "devtools.benchmarks.webhooks"
    receiver = _start([sys.executable, "-m", f"{module}.receiver", str(ENDPOINTS)], env)
    publisher = _start([sys.executable, "-m", f"{module}.publisher"], env)
    try:
        worker.start()
        assert receiver.stdout is not None  # noqa: S101 - it has pipes
        programs = Programs(publisher, json.loads(receiver.stdout.readline()), worker)
        _warm_up(programs)
        yield programs
    finally:
        worker.stop()
        for process in (publisher, receiver):
            process.kill()
            process.wait()


def _warm_up(programs: Programs) -> None:
    subjects = programs.endpoints("warm", "/ok", programs.ports[:20])
    programs.arrivals(programs.publish("warm", subjects, 200, rate=50))


def _environment(setup: Setup, database: str) -> dict[str, str]:
    setup.postgres.database(database)
    info = setup.postgres.info
    host = quote(str(info.host), safe="")
    return {
        "DJANGO_SETTINGS_MODULE": "novitai.settings",
        "DATABASE_URL": f"postgresql://{info.user}@{host}:{info.port}/{database}",
        "DATA_DIR": os.fspath(setup.folder / "data"),
        "SECRET_KEY": "of the benchmark alone, and of nothing else",
        "NOVITA_API_KEY": "of the benchmark",
        # Nobody listens there: Novita is not part of this.
        "NOVITA_API_BASE_URL": "http://127.0.0.1:9",
    }


def _start(command: list[str], env: Mapping[str, str]) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **env}, stdin=pipe, stdout=pipe, text=True
    )


def _run(command: list[str], env: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError(f"{' '.join(command[1:3])}: {done.stderr.strip()[-500:]}")
