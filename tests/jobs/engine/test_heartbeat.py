"""Leases that live as long as the work, and workers that tell of themselves."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

import psutil
import pytest
from django.db import OperationalError, connection
from structlog.testing import capture_logs

from jobs import counters
from jobs.engine import heartbeat, leasing, shared_memory
from jobs.engine.heartbeat import LiveJobs
from jobs.models import Counter, Job, Worker
from tests.conftest import MonotonicClock
from tests.jobs.conftest import Register
from tests.jobs.rows import add, add_named, claim, lapse
from tests.support.engine import database_time

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cluster")]

MINUTE = timedelta(minutes=1)


def live(*names: str, run_limit: timedelta = MINUTE) -> LiveJobs:
    add_named(*names)
    rows = LiveJobs()
    rows.add(claim(), run_limit=run_limit)
    return rows


# What is live


def job(pk: int, type_: str = "noop", token: int = 1) -> Job:
    return Job(pk=pk, type=type_, lease_token=token)


def test_live_rows_are_counted_by_type() -> None:
    rows = LiveJobs()
    rows.add([job(1), job(2), job(3, "other")], run_limit=MINUTE)
    rows.add([job(2, token=2)], run_limit=MINUTE)
    assert (rows.count("noop"), rows.count("other"), rows.count("none")) == (2, 1, 0)
    rows.discard([job(1), job(2), job(9)])
    assert (rows.count("noop"), rows.count("other")) == (1, 1)
    rows.discard([job(2, token=2), job(3, "other")])
    assert (rows.count("noop"), rows.count("other"), rows.jobs()) == (0, 0, [])


def test_a_row_started_anew_is_not_forgotten_with_its_old_token(register: Register) -> None:
    register()
    rows = live("a")
    (old,) = rows.jobs()
    lapse(old)
    (row,) = claim()
    rows.add([row], run_limit=MINUTE)
    rows.discard([old])
    assert rows.tokens() == {row.pk: row.lease_token}


def test_what_runs_longest_is_told_first(monotonic: MonotonicClock) -> None:
    rows = LiveJobs()
    for pk in (1, 2, 3):
        rows.add([Job(pk=pk, public_id=f"job_{pk}", type="noop")], run_limit=MINUTE)
        monotonic.now += 10
    assert rows.longest(2) == [
        {"job": "job_1", "type": "noop", "seconds": 30},
        {"job": "job_2", "type": "noop", "seconds": 20},
    ]


# A beat


def test_a_beat_extends_the_leases_and_tells_of_the_worker(register: Register) -> None:
    register()
    shared_memory.begin()
    rows = live("a", "b")
    Job.objects.update(lease_expires_at=database_time())
    heartbeat.beat(rows)
    heartbeat.beat(rows)
    assert Job.objects.filter(lease_expires_at__gt=database_time(leasing.LEASE / 2)).count() == 2
    worker = Worker.objects.get()
    assert (worker.name, worker.in_flight) == (heartbeat.worker_name(), 2)
    assert (worker.host, worker.pid) == (socket.gethostname(), os.getpid())
    assert worker.cluster == f"{socket.gethostname()}:{os.getpid()}"
    assert {each["job"] for each in worker.running} == {each.public_id for each in rows.jobs()}
    heartbeat.end(rows)
    heartbeat.beat(rows)  # Its thread may be about to, while the process ends.
    assert not Worker.objects.exists()


def test_a_beat_tells_of_the_present_and_at_most_of_twenty_jobs(register: Register) -> None:
    register()
    for _ in range(25):
        add()
    rows = live()
    heartbeat.beat(rows)
    worker = Worker.objects.get()
    assert (worker.in_flight, len(worker.running)) == (25, heartbeat.TOLD_JOBS)
    rows.discard(rows.jobs())
    heartbeat.beat(rows)
    again = Worker.objects.get()
    assert (again.in_flight, again.running) == (0, [])
    assert again.started_at == worker.started_at
    assert again.last_seen_at >= worker.last_seen_at


def test_a_process_is_named_for_its_host_its_pid_and_its_start() -> None:
    """A pid alone comes back, in a container at every start."""
    started = f"{psutil.Process().create_time():.2f}"
    assert heartbeat.worker_name() == f"{socket.gethostname()}:{os.getpid()}:{started}"


def test_a_fork_has_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = heartbeat.worker_name()
    monkeypatch.setattr("jobs.engine.heartbeat.os.getpid", os.getppid)
    assert heartbeat.worker_name() != mine


def test_processes_that_are_long_gone_leave_the_list() -> None:
    Worker.objects.create(
        name="gone:1:1", host="gone", pid=1, last_seen_at=database_time(timedelta(hours=-2))
    )
    Worker.objects.create(name="here:2:2", host="here", pid=2)
    heartbeat.forget_dead()
    assert [worker.name for worker in Worker.objects.all()] == ["here:2:2"]


# The run limit


class _ExitedError(BaseException):
    """Stands in for the end of the process."""


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    def exit_(status: int) -> None:
        statuses.append(status)
        raise _ExitedError

    statuses: list[int] = []
    monkeypatch.setattr("jobs.engine.heartbeat.os._exit", exit_)
    return statuses


def test_a_job_over_its_run_limit_ends_the_process_and_is_not_extended(
    register: Register, exits: list[int]
) -> None:
    register()
    rows = live("a", "b", run_limit=timedelta(seconds=-1))
    before = list(Job.objects.order_by("pk").values_list("lease_expires_at"))
    with capture_logs() as logs, pytest.raises(_ExitedError):
        heartbeat.beat(rows)
    assert exits == [heartbeat.EXIT_RUN_LIMIT]
    assert list(Job.objects.order_by("pk").values_list("lease_expires_at")) == before
    assert Counter.objects.get(name=counters.RUN_LIMITS_EXCEEDED).value == 2
    assert [entry["event"] for entry in logs] == ["job_over_run_limit"]


@pytest.mark.parametrize("error", [OperationalError("gone"), RuntimeError("odd")])
def test_the_end_does_not_wait_for_a_database_that_is_away(
    register: Register, exits: list[int], error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    register()
    rows = live("a", run_limit=timedelta(seconds=-1))
    with capture_logs(), connection.execute_wrapper(fail), pytest.raises(_ExitedError):
        heartbeat.beat(rows)
    assert exits == [heartbeat.EXIT_RUN_LIMIT]
