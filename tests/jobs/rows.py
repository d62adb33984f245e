"""Job rows in the states that the tests of the queue begin with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from jobs import queue
from jobs.engine import leasing
from jobs.engine.claim import Claimer, Lease
from jobs.engine.completer import Finished
from jobs.engine.executor import Executor
from jobs.models import Job
from tests.engine import DrivenRunner, database_time

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


def add_named(*names: str, type_: str = "noop") -> list[Job]:
    """Jobs that handlers and tests know by these names."""
    return [add(type_, payload={"name": name}, subject=name) for name in names]


def statuses() -> dict[str, str]:
    return dict(Job.objects.values_list("subject", "status"))


def hand_over(runner: Executor) -> None:
    """What is due of one type, as the pusher does."""
    runner.run(pairs(claim()))


def worked_on(*subjects: str, **of_types: Sequence[str]) -> DrivenRunner:
    """A runner with jobs of these subjects talked about, and nothing written."""
    runner = DrivenRunner(threads=2)
    for type_, names in {"noop": subjects, **of_types}.items():
        add_named(*names, type_=type_)
        hand_over(runner)
    return runner


def taken_from(runner: DrivenRunner) -> list[Finished]:
    waiting = []
    while not runner.keeper._finished.empty():
        waiting.append(runner.keeper._finished.get())
    return waiting
