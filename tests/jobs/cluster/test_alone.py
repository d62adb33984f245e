"""Rows at their last chance, which must have a worker process to themselves."""

from __future__ import annotations

import pytest

from jobs.engine import leasing, shared_memory
from jobs.models import Job
from tests.engine import DrivenRunner, database_time
from tests.jobs.conftest import Register
from tests.jobs.rows import add_named, claim, hand_over, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cluster")]


def test_a_row_at_its_last_chance_waits_until_the_process_is_empty_of_others(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(seconds: float) -> None:
        at_work.append(sorted(job.subject for job in runner.live.jobs()))
        runner.keep()

    at_work: list[list[str]] = []
    register()
    runner = DrivenRunner(threads=1)
    add_named("other")
    hand_over(runner)
    add_named("alone")
    (lease,) = claim()
    monkeypatch.setattr("jobs.engine.executor.time.sleep", sleep)
    runner.run_alone((lease.job_id, lease.token))
    assert at_work == [["other"], ["alone"]]
    assert statuses() == {"other": "completed", "alone": "completed"}


def test_only_one_worker_of_a_cluster_works_alone(register: Register) -> None:
    register()
    add_named("alone")
    (lease,) = claim()
    runner = DrivenRunner(threads=1)
    shared_memory.work_alone(60)
    runner.run_alone((lease.job_id, lease.token))
    job = Job.objects.get()
    assert (job.status, job.attempts) == ("pending", 0)
    assert job.run_at > database_time()


def test_a_row_that_waits_to_be_alone_keeps_its_lease(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(seconds: float) -> None:
        clock.append(clock[-1] + leasing.LEASE.total_seconds() / 2)
        expiries.append(Job.objects.get(subject="alone").lease_expires_at)
        if len(clock) > 3:
            runner.keep()

    clock, expiries = [1000.0], []
    register()
    runner = DrivenRunner(threads=1)
    add_named("other")
    hand_over(runner)
    add_named("alone")
    (lease,) = claim()
    monkeypatch.setattr("jobs.engine.executor.time.sleep", sleep)
    monkeypatch.setattr("jobs.engine.executor.time.monotonic", lambda: clock[-1])
    monkeypatch.setattr("jobs.engine.executor.ALONE_SECONDS", 1000.0)
    runner.run_alone((lease.job_id, lease.token))
    assert expiries == sorted(set(expiries))
    assert statuses()["alone"] == "completed"


def test_a_lease_that_was_lost_while_waiting_to_be_alone_starts_nothing(
    register: Register,
) -> None:
    handler = register()
    add_named("alone")
    (lease,) = claim()
    runner = DrivenRunner(threads=1)
    runner.run_alone((lease.job_id, lease.token + 1))
    assert (handler.applied, runner.live.jobs()) == ([], [])
    assert shared_memory.may_work_alone(0)
