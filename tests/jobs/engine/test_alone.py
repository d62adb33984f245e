"""Rows at their last attempt, which must have a worker process to themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobs.engine import shared_memory
from jobs.models import Job
from tests.jobs.conftest import Register
from tests.jobs.rows import add_named, claim, lapse, statuses
from tests.support.engine import DrivenExecutor, database_time

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cluster")]


def leased_for_its_last_attempt() -> Job:
    """It was in a process at each of its workers' deaths."""
    (job,) = add_named("alone")
    claim()
    lapse(job)
    Job.objects.filter(pk=job.pk).update(attempts=4)
    (row,) = claim()
    assert (row.is_suspect, row.attempts, row.max_attempts) == (True, 4, 5)
    return row


def busy_executor(sleep: Callable[[float], None]) -> DrivenExecutor:
    executor = DrivenExecutor(threads=1, sleep=sleep)
    add_named("other")
    executor.run_once()
    return executor


def test_a_row_at_its_last_attempt_waits_until_the_process_is_empty_of_others(
    register: Register,
) -> None:
    def sleep(seconds: float) -> None:
        at_work.append(sorted(job.subject for job in executor.live.jobs()))
        executor.complete()

    at_work: list[list[str]] = []
    register()
    executor, row = busy_executor(sleep), leased_for_its_last_attempt()
    executor.work([row])
    assert at_work == [["alone", "other"], ["alone"]]
    assert statuses() == {"other": "completed", "alone": "completed"}


def test_only_one_worker_of_a_cluster_works_alone(register: Register) -> None:
    register()
    row = leased_for_its_last_attempt()
    shared_memory.work_alone(60)
    DrivenExecutor(threads=1).work([row])
    job = Job.objects.get()
    assert (job.status, job.attempts) == ("pending", 4)
    assert job.run_at > database_time()


def test_a_row_that_waits_to_be_alone_keeps_its_lease(
    register: Register,
) -> None:
    """The heartbeat renews it, although its attempt is not counted yet."""

    def sleep(seconds: float) -> None:
        waiting.append((row.pk in executor.live.tokens(), Job.objects.get(pk=row.pk).attempts))
        executor.complete()

    waiting: list[tuple[bool, int]] = []
    register()
    executor, row = busy_executor(sleep), leased_for_its_last_attempt()
    executor.work([row])
    assert waiting == [(True, 4), (True, 5)]


def test_a_lease_that_was_lost_while_waiting_to_be_alone_starts_nothing(
    register: Register,
) -> None:
    handler = register()
    row = leased_for_its_last_attempt()
    row.lease_token = (row.lease_token or 0) + 1
    executor = DrivenExecutor(threads=1)
    executor.work([row])
    assert (handler.applied, executor.live.jobs()) == ([], [])
    assert shared_memory.may_work_alone(0)
