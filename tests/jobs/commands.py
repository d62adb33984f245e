"""``manage.py worker`` as a real process, on the database of the running test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from django.db import connection

from jobs import queue
from jobs.models import Job

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2


class Command:
    """A running command and what it started; ``variables`` are added to its environment."""

    def __init__(
        self, log: Path, workers: int = WORKERS, without: Sequence[str] = (), **variables: str
    ) -> None:
        self.log = log
        self.workers = workers
        variables = {**environment(), "JOB_WORKERS": str(workers), **variables}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "worker"],
                cwd=ROOT,
                env={name: value for name, value in variables.items() if name not in without},
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
            return len(self.children) == self.workers + 2
        except (ValueError, psutil.NoSuchProcess):
            return False

    def alive(self) -> list[psutil.Process]:
        return [each for each in self.seen if each.is_running() and each.status() != "zombie"]

    def everybody(self) -> list[psutil.Process]:
        return [*self.children, self.sentinel, psutil.Process(self.process.pid)]

    def end(self) -> None:
        """However it went: frozen processes are ended like all others, and nothing is left that
        could still write into the next test's tables.
        """
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=40)
        deadline = time.monotonic() + 20
        while self._is_anybody_left() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _is_anybody_left(self) -> bool:
        """The whole group, also those that nobody has seen."""
        group = self.process.pid
        return any(_is_in(each, group) for each in psutil.process_iter())

    def eventually(self, condition: Callable[[], Any], *, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            time.sleep(0.05)

    def runs_a_job(self, *, seconds: float = 15) -> None:
        """Fifteen seconds are what any recovery may take, without a person."""
        job = queue.enqueue("noop", payload={})
        self.eventually(lambda: status(job) == "completed", seconds=seconds)

    def hangs_at_a_job(self) -> Job:
        job = queue.enqueue("hanging", payload={})
        self.eventually(lambda: Job.objects.get(pk=job.pk).attempts >= 1)
        return job


def _is_in(process: psutil.Process, group: int) -> bool:
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    return False


def status(job: Job) -> str:
    return Job.objects.values_list("status", flat=True).get(pk=job.pk)


def environment() -> dict[str, str]:
    """For a process that uses the running test's database."""
    parameters = connection.get_connection_params()
    names = {"NAME": "dbname", "HOST": "host", "PORT": "port", "USER": "user"}
    database = {name: str(parameters.get(key, "")) for name, key in names.items()}
    return {
        **os.environ,
        "TEST_DATABASE": json.dumps({**database, "PASSWORD": parameters.get("password", "")}),
        "DJANGO_SETTINGS_MODULE": "tests.settings_worker",
        "JOB_THREADS": "4",
        "NOVITA_API_KEY": "sk_unused",
    }
