"""Job rows in the states that the tests of the queue begin with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from jobs import leasing, queue
from jobs.claim import Claimer, Lease
from jobs.models import Job
from tests.engine import database_time

SECOND = timedelta(seconds=1)


def add(type_: str = "noop", **fields: Any) -> Job:
    return queue.enqueue(type_, **{"payload": {}, **fields})


def add_many(count: int, type_: str = "noop", **fields: Any) -> list[Job]:
    """Due one after the other, the first for the longest."""
    now = fields.pop("run_at", database_time(-60 * SECOND))
    return [add(type_, run_at=now + n * SECOND / 1000, **fields) for n in range(count)]


def claim(claimer: Claimer | None = None) -> list[Lease]:
    return (claimer or Claimer("here:1")).claim()


def ids(leases: list[Lease]) -> set[int]:
    return {lease.job_id for lease in leases}


def pairs(leases: list[Lease]) -> list[tuple[int, int]]:
    """What a message carries."""
    return [(lease.job_id, lease.token) for lease in leases]


def lapse(*jobs: Job, ago: timedelta = SECOND) -> None:
    """As if their worker had died."""
    pks = [job.pk for job in jobs]
    Job.objects.filter(pk__in=pks).update(lease_expires_at=database_time(-ago))


def started(type_: str = "noop", **fields: Any) -> Job:
    job = add(type_, **fields)
    (row,) = leasing.start(pairs([lease for lease in claim() if lease.job_id == job.pk]))
    return row
