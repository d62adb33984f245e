"""When workers are woken."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from structlog.testing import capture_logs

from jobs.cluster.broker import WakeBroker
from jobs.engine import shared_memory
from tests.jobs.conftest import Register, in_thread
from tests.jobs.rows import SECOND, add, claim, lapse, started
from tests.support.engine import database_time

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("cluster")]


class PatientBroker(WakeBroker):
    """A wait that nothing ended would outlast the test."""

    longest_wait_seconds = 300.0
    backlog_wait_seconds = 0.01
    reconnect_seconds = 0.0


class HastyBroker(WakeBroker):
    longest_wait_seconds = 0.01


@pytest.fixture
def listening(register: Register) -> WakeBroker:
    return began(PatientBroker(), register)


def began(broker: WakeBroker, register: Register) -> WakeBroker:
    """A broker that listens; its first wake is for what became due before."""
    register(max_in_flight=2)
    assert len(broker.dequeue()) == 1
    return broker


def test_a_broker_claims_nothing(listening: WakeBroker) -> None:
    job = add()
    assert len(listening.dequeue()) == 1
    job.refresh_from_db()
    assert job.status == "pending"


def test_a_commit_wakes_a_worker(listening: WakeBroker) -> None:
    in_thread(add)
    assert len(listening.dequeue()) == 1


def test_a_row_that_becomes_due_wakes_a_worker(listening: WakeBroker) -> None:
    add(run_at=database_time(SECOND / 10))
    for _ in range(2):  # For the commit, and for the due time.
        assert len(listening.dequeue()) == 1
    assert len(claim()) == 1


def test_a_lease_that_lapses_wakes_a_worker(listening: WakeBroker) -> None:
    job = started()
    lapse(job, ago=-SECOND / 10)
    for _ in range(2):
        assert len(listening.dequeue()) == 1
    assert [row.is_suspect for row in claim()] == [True]


def test_a_worker_is_woken_now_and_then_without_a_reason(register: Register) -> None:
    assert len(began(HastyBroker(), register).dequeue()) == 1


def test_a_type_at_its_cap_makes_the_waits_short(listening: WakeBroker) -> None:
    started()
    started()
    for _ in range(3):  # Two of them for the commits.
        assert len(listening.dequeue()) == 1
    assert shared_memory.has_backlog()


def test_a_database_that_goes_away_during_the_wait_is_waited_for(listening: WakeBroker) -> None:
    """A broker that raised would stop the pusher for ten seconds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    in_thread(lambda: _execute("SELECT pg_terminate_backend(%s, 5000)", pid))
    with capture_logs() as logs:
        assert listening.dequeue() == []
    assert [entry["event"] for entry in logs][-1:] == ["broker_waits_for_database"]
    assert len(listening.dequeue()) == 1
    in_thread(add)
    assert len(listening.dequeue()) == 1


def _execute(sql: str, *parameters: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
    return True
