"""Leases that live as long as the work, and workers that tell of themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from jobs import heartbeat, leasing, queue
from jobs.models import Job, Worker
from tests.engine import database_time
from tests.jobs.conftest import Register

pytestmark = pytest.mark.django_db


def live(*names: str, run_limit_seconds: float = 60) -> heartbeat.LiveJobs:
    for name in names:
        queue.enqueue("noop", payload={}, subject=name)
    leases = leasing.claim(worker="test")
    rows = heartbeat.LiveJobs()
    started = leasing.start([(lease.job_id, lease.token) for lease in leases])
    rows.add(started, run_limit=timedelta(seconds=run_limit_seconds))
    return rows


def test_a_beat_extends_the_leases_and_tells_of_the_worker(register: Register) -> None:
    register()
    rows = live("a", "b")
    Job.objects.update(lease_expires_at=database_time())
    heartbeat.beat(rows)
    heartbeat.beat(rows)
    assert Job.objects.filter(lease_expires_at__gt=database_time(leasing.LEASE / 2)).count() == 2
    worker = Worker.objects.get()
    assert (worker.name, worker.in_flight) == (heartbeat.worker_name(), 2)
    heartbeat.forget()
    assert not Worker.objects.exists()


def test_a_job_over_its_run_limit_ends_the_process_and_is_not_extended(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exit_(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr("jobs.heartbeat.os._exit", exit_)
    register()
    rows = live("a", run_limit_seconds=-1)
    before = Job.objects.get().lease_expires_at
    with capture_logs(), pytest.raises(SystemExit) as raised:
        heartbeat.beat(rows)
    assert raised.value.code == heartbeat.EXIT_RUN_LIMIT
    assert Job.objects.get().lease_expires_at == before


def test_a_row_started_anew_is_not_forgotten_with_its_old_token(register: Register) -> None:
    register()
    rows = live("a")
    (old,) = rows.jobs()
    Job.objects.update(lease_expires_at=database_time(-leasing.LEASE))
    (lease,) = leasing.claim(worker="test")
    rows.add(leasing.start([(lease.job_id, lease.token)]), run_limit=timedelta(minutes=1))
    rows.discard([old])
    assert rows.tokens() == {lease.job_id: lease.token}


def test_processes_that_are_long_gone_leave_the_list() -> None:
    Worker.objects.create(
        name="gone:1", host="gone", pid=1, last_seen_at=database_time(timedelta(hours=-2))
    )
    Worker.objects.create(name="here:2", host="here", pid=2)
    heartbeat.forget_dead()
    assert [worker.name for worker in Worker.objects.all()] == ["here:2"]
