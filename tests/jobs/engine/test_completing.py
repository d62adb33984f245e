"""What the completer writes together, what it records, and its thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError, connection
from structlog.testing import capture_logs

from jobs.engine import shared_memory
from jobs.engine.completer import Completer, Finished
from jobs.handler import WorkItem, get_type
from jobs.models import Job
from jobs.outcomes import Done, Outcome
from tests.jobs.conftest import Register, on_own_connection, until
from tests.jobs.engine.test_completer import Bad, events
from tests.jobs.rows import add_named, statuses, worked_on
from tests.support.engine import DrivenExecutor, ScriptedHandler

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("kept_connection")]


# What shares a transaction


def transactions_of(register: Register, **fields: Any) -> dict[str, int]:
    """Register x and y so that each apply notes its transaction."""
    noted: dict[str, int] = {}

    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT txid_current()")
            (number,) = cursor.fetchone()
        noted.update({job.subject: number for job in jobs})
        return {job.pk: Done() for job in jobs}

    register("x", handler=ScriptedHandler(apply=apply), **fields)
    register("y", handler=ScriptedHandler(apply=apply), **fields)
    return noted


@pytest.mark.django_db(transaction=True)
def test_types_do_not_share_a_transaction_and_jobs_of_one_do(register: Register) -> None:
    """They lock different things first; in one transaction two workers could deadlock."""
    noted = transactions_of(register)
    worked_on(x="ac", y="bd").complete()
    assert noted["a"] == noted["c"]
    assert noted["b"] == noted["d"]
    assert noted["a"] != noted["b"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("size", "transactions"), [(1, 4), (2, 2), (3, 2)])
def test_a_type_says_how_many_share_a_transaction(
    register: Register, size: int, transactions: int
) -> None:
    noted = transactions_of(register, commit_size=size)
    worked_on(x="abcd").complete()
    assert len(set(noted.values())) == transactions


@pytest.mark.django_db(transaction=True)
def test_a_shared_unit_has_a_transaction_to_itself(register: Register) -> None:
    noted = transactions_of(register)
    handler = ScriptedHandler(
        load=lambda jobs: [WorkItem(jobs[:2], {}), *(WorkItem([job], {}) for job in jobs[2:])],
        apply=get_type("x").handler.apply,
    )
    register("x", handler=handler)
    worked_on(x="abcd").complete()
    assert noted["a"] == noted["b"]
    assert noted["c"] == noted["d"]
    assert noted["a"] != noted["c"]


def test_two_workers_lock_the_subjects_of_a_type_in_one_order(register: Register) -> None:
    handler = register()
    worked_on(*"cab").complete()
    applied = [Job.objects.get(pk=pk).subject for pk in handler.applied]
    assert applied == ["a", "b", "c"]


@pytest.mark.parametrize("has_backlog", [True, False])
def test_an_idle_worker_is_woken_when_there_is_room_for_a_backlog(
    register: Register, has_backlog: bool
) -> None:
    register()
    add_named("a")
    woken: list[int] = []
    executor = DrivenExecutor(threads=2, wake=lambda: woken.append(len(executor.live.jobs())))
    executor.run_once()
    shared_memory.begin()
    if has_backlog:
        shared_memory.set_backlog()
    executor.complete()
    shared_memory.begin()
    assert woken == [0] * has_backlog


# What calls cost


def test_what_calls_cost_is_recorded_once_for_all_of_them(register: Register) -> None:
    recorded: list[Any] = []
    bad = Bad(*[OperationalError("deadlock")] * 2)
    register(handler=ScriptedHandler(apply=bad.meet, record_usage=recorded.append))
    executor = worked_on("a", "bad")
    waiting = executor.completer.take()
    for _ in range(2):
        executor.completer.write(waiting)
    assert (waiting, bad.met) == ([], 2)
    assert recorded == [[({"name": "a"}, {"name": "a"}), ({"name": "bad"}, {"name": "bad"})]]


@pytest.mark.parametrize("error", [OperationalError("deadlock"), LookupError("lost")])
def test_what_cannot_be_recorded_is_written_all_the_same(
    register: Register, error: Exception
) -> None:
    """An error that passed the completer would end it, and all that this worker writes."""

    def record_usage(calls: Sequence[Any]) -> None:
        raise error

    register(handler=ScriptedHandler(record_usage=record_usage))
    executor = worked_on("a")
    with capture_logs() as logs:
        executor.complete()
    assert events(logs) == ["usage_not_recorded"]
    assert statuses() == {"a": "completed"}


# Its thread


@pytest.mark.django_db(transaction=True)
def test_the_completer_writes_beside_the_work_until_all_is_written(register: Register) -> None:
    def sleep(seconds: float) -> None:
        if not executor.live.jobs():
            raise SystemExit  # A loop for the life of a process has no other end.

    def run() -> None:
        with suppress(SystemExit):
            on_own_connection(completer.run)

    handler = register(handler=Bad(*[OperationalError("deadlock")] * 4))
    executor = worked_on("a", "bad", "c")
    completer = Completer(executor.live, sleep=sleep)
    for unit in executor.completer.take():
        completer.put(unit)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: not executor.live.jobs())
    completer.put(Finished([], handler))
    thread.join(timeout=20)
    assert statuses() == {"a": "completed", "bad": "pending", "c": "completed"}
    assert executor.live.jobs() == []
