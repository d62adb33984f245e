"""``manage.py worker`` with real processes, ended in every way that processes end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection

from jobs import queue
from jobs.models import Job, Worker
from tests.jobs.conftest import Register

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2


class Command:
    """A running ``manage.py worker`` and what it started."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "worker"],
                cwd=ROOT,
                env=_environment(),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.seen: set[psutil.Process] = set()

    @property
    def sentinel(self) -> psutil.Process:
        (sentinel,) = psutil.Process(self.process.pid).children()
        return sentinel

    @property
    def children(self) -> list[psutil.Process]:
        """The sentinel's, oldest first: when fresh, the workers, the monitor and the pusher."""
        found = sorted(self.sentinel.children(), key=lambda child: (child.create_time(), child.pid))
        self.seen |= {self.sentinel, *found}
        return found

    def is_complete(self) -> bool:
        try:
            return len(self.children) == WORKERS + 2
        except (ValueError, psutil.NoSuchProcess):
            return False

    def alive(self) -> list[psutil.Process]:
        return [each for each in self.seen if each.is_running() and each.status() != "zombie"]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=10)
        for each in self.alive():
            each.kill()


def _environment() -> dict[str, str]:
    parameters = connection.get_connection_params()
    names = {"NAME": "dbname", "HOST": "host", "PORT": "port", "USER": "user"}
    database = {name: str(parameters.get(key, "")) for name, key in names.items()}
    return {
        **os.environ,
        "TEST_DATABASE": json.dumps({**database, "PASSWORD": parameters.get("password", "")}),
        "DJANGO_SETTINGS_MODULE": "tests.settings_worker",
        "JOB_WORKERS": str(WORKERS),
        "JOB_THREADS": "4",
    }


def eventually(condition: Callable[[], Any], log: Path, *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.05)


@pytest.fixture
def command(register: Register, tmp_path: Path) -> Iterator[Command]:
    register("noop")
    register("hanging")
    command = Command(tmp_path / "worker.log")
    try:
        eventually(command.is_complete, command.log)
        yield command
    finally:
        command.end()


def a_job_completes(command: Command) -> None:
    job = queue.enqueue("noop", payload={})
    eventually(lambda: Job.objects.get(pk=job.pk).status == "completed", command.log)


def a_job_hangs(command: Command) -> Job:
    job = queue.enqueue("hanging", payload={})
    eventually(lambda: Job.objects.get(pk=job.pk).attempts == 1, command.log)
    return job


def test_sigterm_stops_it_in_time_and_gives_back_what_it_holds(command: Command) -> None:
    a_job_completes(command)
    job = a_job_hangs(command)
    command.process.send_signal(signal.SIGTERM)
    assert command.process.wait(timeout=10) == 0
    assert command.alive() == []
    job.refresh_from_db()
    assert (job.status, job.attempts, job.lease_token) == ("pending", 0, None)
    assert not Worker.objects.exists()


def test_sigterm_to_the_whole_group_stops_it_as_well(command: Command) -> None:
    a_job_completes(command)
    os.killpg(command.process.pid, signal.SIGTERM)
    assert command.process.wait(timeout=10) == 0
    assert command.alive() == []


def test_jobs_still_complete_after_the_death_of_any_one_process(command: Command) -> None:
    """One after the other; each replacement is the youngest child, which tells who is who."""
    a_job_completes(command)
    for victim in ("pusher", "monitor", "worker", "sentinel"):
        children = command.children
        process = {
            "pusher": children[-1],
            "monitor": children[-2],
            "worker": children[0],
            "sentinel": command.sentinel,
        }[victim]
        process.kill()
        process.wait(timeout=10)
        a_job_completes(command)
        eventually(command.is_complete, command.log)
    present = {command.sentinel, *command.children}
    eventually(lambda: set(command.alive()) == present, command.log)


def test_the_death_of_the_command_leaves_no_orphan(command: Command) -> None:
    a_job_completes(command)
    command.process.kill()
    command.process.wait(timeout=10)
    eventually(lambda: command.alive() == [], command.log, seconds=10)
