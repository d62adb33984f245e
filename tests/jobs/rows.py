"""Job rows in the states that the tests of the queue begin with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection

from accounts.models import Project
from jobs import queue
from jobs.engine.claim import Claimer
from jobs.models import Job
from tests.support.engine import DrivenExecutor, database_time

SECOND = timedelta(seconds=1)


def add(type_: str = "noop", **fields: Any) -> Job:
    return queue.enqueue(type_, **{"payload": {}, **fields})


def add_many(count: int, type_: str = "noop", **fields: Any) -> list[Job]:
    """Due one after the other, the first for the longest."""
    now = fields.pop("run_at", database_time(-60 * SECOND))
    return [add(type_, run_at=now + n * SECOND / 1000, **fields) for n in range(count)]


def claim(claimer: Claimer | None = None) -> list[Job]:
    return (claimer or Claimer("here:1")).claim().jobs


def ids(jobs: Iterable[Job]) -> set[int]:
    return {job.pk for job in jobs}


def lapse(*jobs: Job, ago: timedelta = SECOND) -> None:
    """As if their worker had died."""
    pks = [job.pk for job in jobs]
    Job.objects.filter(pk__in=pks).update(lease_expires_at=database_time(-ago))


def started(type_: str = "noop", **fields: Any) -> Job:
    job = add(type_, **fields)
    (row,) = (row for row in claim() if row.pk == job.pk)
    return row


def suspect(**fields: Any) -> Job:
    """A row whose worker died, leased to another one."""
    lapse(started(**fields))
    (row,) = (row for row in claim() if row.is_suspect)
    return row


def add_named(*names: str, type_: str = "noop") -> list[Job]:
    """Jobs that handlers and tests know by these names."""
    return [add(type_, payload={"name": name}, subject=name) for name in names]


def statuses() -> dict[str, str]:
    return dict(Job.objects.values_list("subject", "status"))


def worked_on(*subjects: str, **of_types: Sequence[str]) -> DrivenExecutor:
    """An executor with the calls of jobs of these subjects made, and nothing written."""
    executor = DrivenExecutor(threads=2)
    for type_, names in {"noop": subjects, **of_types}.items():
        add_named(*names, type_=type_)
        executor.run_once()
    return executor


def fill(
    status: str, *, due_in: str, count: int = 1000, apart: str = "0", project: Project | None = None
) -> None:
    """Many rows at once, due ``apart`` from each other; what ended did so when it was due."""
    moment = f"clock_timestamp() + interval '{due_in}' - n * interval '{apart}'"
    ended = "NULL" if status in ("pending", "processing") else moment
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO jobs_job (public_id, type, payload, errors, subject, error, worker,
                request_id, project_id, status, completed_at, run_at)
            SELECT 'x', 'noop', '{{}}', '[]', '', '', '', '', %s, '{status}', {ended}, {moment}
            FROM generate_series(1, {count}) AS n
            """,
            [project.pk if project else None],
        )
