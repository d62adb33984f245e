"""Reads a template that is not in the cache: a worker asks Novita while a plan waits briefly."""

import threading
import time

from core.clock import database_now
from instances.catalogue import cache
from instances.lifecycle.jobs import enqueue_template_look_up
from jobs.models import Job, Worker
from jobs.stats import WORKER_SILENCE

LONGEST_WAIT_SECONDS = 2.0
POLL_SECONDS = 0.05
# Limit for waiting threads of a web process; the other threads serve requests.
MOST_WAITING = 2
SLOTS = threading.BoundedSemaphore(MOST_WAITING)


def find_template(template_id: str, *, request_id: str = "") -> None:
    """Enqueue a read of the template and wait for it, up to LONGEST_WAIT_SECONDS.

    Does nothing if the template is known or no worker runs. Not in a transaction: workers see the
    job only after the commit.
    """
    if cache.known_template(template_id) is not None or not _has_workers():
        return
    if not SLOTS.acquire(blocking=False):
        return
    try:
        _wait_for(enqueue_template_look_up(template_id, request_id=request_id))
    finally:
        SLOTS.release()


def _has_workers() -> bool:
    return Worker.objects.filter(last_seen_at__gt=database_now() - WORKER_SILENCE).exists()


def _wait_for(job: Job) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while time.monotonic() < deadline and Job.objects.live().filter(pk=job.pk).exists():
        time.sleep(POLL_SECONDS)
