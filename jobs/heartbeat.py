"""Keeps the leases of live jobs alive, and tells that this worker process is.

The heartbeat runs beside the work in a thread of its own, with a connection of its own, so that
neither a busy main thread nor a slow call lets a lease lapse. It stops extending a lease at the
type's run limit and ends the process: a deadlocked handler must not live for ever.
"""

import os
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import Error, connection
from django.db.models.functions import Now

from jobs import leasing
from jobs.models import Job, Worker

logger = structlog.get_logger()

BEAT_SECONDS = leasing.LEASE.total_seconds() / 3
EXIT_RUN_LIMIT = 70
FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Live:
    job: Job
    token: int
    ends_at: float


class LiveJobs:
    """The started rows of this process, by id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[int, _Live] = {}

    def add(self, jobs: Iterable[Job], *, run_limit: timedelta) -> None:
        ends_at = time.monotonic() + run_limit.total_seconds()
        with self._lock:
            for job in jobs:
                self._rows[job.pk] = _Live(job, job.lease_token or 0, ends_at)

    def discard(self, jobs: Iterable[Job]) -> None:
        """Forget rows, unless this process has started them anew under another token."""
        with self._lock:
            for job in jobs:
                row = self._rows.get(job.pk)
                if row is not None and row.token == job.lease_token:
                    del self._rows[job.pk]

    def jobs(self) -> list[Job]:
        with self._lock:
            return [row.job for row in self._rows.values()]

    def tokens(self) -> dict[int, int]:
        with self._lock:
            return {pk: row.token for pk, row in self._rows.items()}

    def overdue(self) -> list[Job]:
        now = time.monotonic()
        with self._lock:
            return [row.job for row in self._rows.values() if row.ends_at < now]


def start(live: LiveJobs) -> None:
    """Beat until the process ends."""
    threading.Thread(target=_beat_forever, args=[live], name="heartbeat", daemon=True).start()


def _beat_forever(live: LiveJobs) -> None:
    while True:
        try:
            beat(live)
        except Error as error:
            logger.warning("heartbeat_failed", error=str(error))
            connection.close()
        time.sleep(BEAT_SECONDS)


def beat(live: LiveJobs) -> None:
    """Say that this process lives and extend its leases, or end it over a run limit."""
    overdue = live.overdue()
    if overdue:
        logger.error("job_over_run_limit", job_ids=[job.public_id for job in overdue])
        os._exit(EXIT_RUN_LIMIT)
    tokens = live.tokens()
    _tell(in_flight=len(tokens))
    if tokens:
        leasing.renew(tokens)


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _tell(*, in_flight: int) -> None:
    Worker.objects.update_or_create(
        name=worker_name(),
        defaults={"last_seen_at": Now(), "in_flight": in_flight},
        create_defaults={
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "last_seen_at": Now(),
            "in_flight": in_flight,
        },
    )


def forget_dead() -> None:
    """Drop processes from the list that were not seen for an hour; done when a cluster starts."""
    Worker.objects.filter(last_seen_at__lt=Now() - FORGOTTEN_AFTER).delete()


def forget() -> None:
    """Take this process off the list of workers, at a graceful stop."""
    Worker.objects.filter(name=worker_name()).delete()
