"""Extends the leases of live jobs and the row of this worker process.

Runs in a thread of its own, with its own connection, so that neither a busy main thread nor a slow
call lets a lease lapse. When a job passes its type's run limit, it stops extending leases and ends
the process: a deadlocked handler must not live for ever.
"""

import math
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import lru_cache
from heapq import nsmallest
from typing import NamedTuple

import psutil
import structlog
from django.db import Error, connection
from django.db.models.functions import Now

from jobs import counters
from jobs.engine import leasing, shared_memory
from jobs.models import Job, Worker

logger = structlog.get_logger()

BEATS_PER_LEASE = 3
EXIT_RUN_LIMIT = 70
FORGOTTEN_AFTER = timedelta(hours=1)
TOLD_JOBS = 20


class RunDeadline:
    """The time.monotonic() at which work must have ended; shared by the jobs of a work item."""

    __slots__ = ("ends_at",)

    def __init__(self, seconds: float) -> None:
        self.begin(seconds)

    def begin(self, seconds: float) -> None:
        self.ends_at = time.monotonic() + seconds


class _Live(NamedTuple):
    job: Job
    token: int | None
    since: float
    deadline: RunDeadline


class LiveJobs:
    """The started rows of this process, by id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[int, _Live] = {}
        self._counts: Counter[str] = Counter()
        # Held while the Worker row is written or deleted; ``is_over``: it was deleted.
        self.telling = threading.Lock()
        self.is_over = False

    def add(self, jobs: Iterable[Job], *, run_limit: timedelta) -> None:
        now, deadline = time.monotonic(), RunDeadline(run_limit.total_seconds())
        with self._lock:
            for job in jobs:
                self._forget(job.id)
                self._rows[job.id] = _Live(job, job.lease_token, now, deadline)
                self._counts[job.type] += 1

    def waits(self, jobs: Iterable[Job]) -> RunDeadline:
        """No run limit while a work item waits for a thread; ``begin`` starts it."""
        deadline = RunDeadline(math.inf)
        with self._lock:
            for job in jobs:
                if (row := self._rows.get(job.id)) is not None:
                    self._rows[job.id] = row._replace(deadline=deadline)
        return deadline

    def discard(self, jobs: Iterable[Job]) -> None:
        """Remove rows, unless this process has started them again under another token."""
        with self._lock:
            for job in jobs:
                row = self._rows.get(job.id)
                if row is not None and row.token == job.lease_token:
                    self._forget(job.id)

    def _forget(self, pk: int) -> None:
        if (row := self._rows.pop(pk, None)) is not None:
            self._counts[row.job.type] -= 1

    def jobs(self) -> list[Job]:
        with self._lock:
            return [row.job for row in self._rows.values()]

    def count(self, type_: str) -> int:
        with self._lock:
            return self._counts[type_]

    def tokens(self) -> dict[int, int | None]:
        with self._lock:
            return {pk: row.token for pk, row in self._rows.items()}

    def longest(self, most: int) -> list[dict[str, str | int]]:
        """The jobs that have run longest, for the Worker row that operators read."""
        now = time.monotonic()
        with self._lock:
            oldest = nsmallest(most, self._rows.values(), key=lambda row: row.since)
        return [
            {"job": row.job.public_id, "type": row.job.type, "seconds": int(now - row.since)}
            for row in oldest
        ]

    def overdue(self) -> list[Job]:
        now = time.monotonic()
        with self._lock:
            return [row.job for row in self._rows.values() if row.deadline.ends_at < now]


def start(live: LiveJobs) -> None:
    """Start the heartbeat thread, which runs until the process ends."""
    threading.Thread(target=_beat_forever, args=[live], name="heartbeat", daemon=True).start()


def _beat_forever(live: LiveJobs) -> None:
    while True:
        try:
            beat(live)
        except Error as error:
            logger.warning("heartbeat_failed", error=str(error))
            connection.close()
        time.sleep(leasing.LEASE.total_seconds() / BEATS_PER_LEASE)


def beat(live: LiveJobs) -> None:
    """Extend leases and write the Worker row, or end the process over a run limit."""
    if overdue := live.overdue():
        _end_process(overdue)
    tokens = live.tokens()
    if tokens:
        leasing.renew(tokens)
    _tell(live, in_flight=len(tokens))


def _end_process(overdue: Sequence[Job]) -> None:
    """Exit: nothing else ends a thread that hangs. The leases of all jobs of this process lapse."""
    logger.error("job_over_run_limit", job_ids=[job.public_id for job in overdue])
    try:
        counters.try_to_count(counters.RUN_LIMITS_EXCEEDED, len(overdue))
    finally:
        os._exit(EXIT_RUN_LIMIT)


def worker_name() -> str:
    """``host:pid:start`` of this process; correct after a fork, too."""
    return _own_name(os.getpid())


@lru_cache(maxsize=1)
def _own_name(pid: int) -> str:
    return name_of(psutil.Process(pid))


def name_of(process: psutil.Process) -> str:
    """The name under which a process of this host claims."""
    return name(process.pid, process.create_time())


def name(pid: int, started: float) -> str:
    """The name of the process of this host with that pid and start (seconds since 1970).

    The start has two decimals: containers that share a host name have the same pids.
    """
    return f"{socket.gethostname()}:{pid}:{started:.2f}"


def _tell(live: LiveJobs, *, in_flight: int) -> None:
    with live.telling:
        if not live.is_over:
            _write_worker(live, in_flight)


def _write_worker(live: LiveJobs, in_flight: int) -> None:
    said = {"last_seen_at": Now(), "in_flight": in_flight, "running": live.longest(TOLD_JOBS)}
    made = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "cluster": f"{socket.gethostname()}:{shared_memory.command_pid()}",
    }
    Worker.objects.update_or_create(
        name=worker_name(), defaults=said, create_defaults={**made, **said}
    )


def forget_dead() -> None:
    """Delete Worker rows that were not updated for an hour; called when a cluster starts."""
    Worker.objects.filter(last_seen_at__lt=Now() - FORGOTTEN_AFTER).delete()


def end(live: LiveJobs) -> None:
    """Delete the Worker row of this process; no later heartbeat writes it again."""
    with live.telling:
        live.is_over = True
        forget([worker_name()])


def forget(workers: Sequence[str]) -> None:
    """Delete the Worker rows of ended processes."""
    Worker.objects.filter(name__in=workers).delete()
