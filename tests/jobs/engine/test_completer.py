"""Writing down what came of the work, in whatever way that goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from psycopg.errors import (
    CheckViolation,
    DiskFull,
    Error,
    InsufficientPrivilege,
    QueryCanceled,
    ReadOnlySqlTransaction,
)
from structlog.testing import capture_logs

from jobs import counters
from jobs.engine import completer
from jobs.engine.completer import MOST_REFUSALS
from jobs.models import Counter, Job
from jobs.outcomes import Done, GiveUp, Outcome
from tests.jobs.conftest import Register, in_thread
from tests.jobs.rows import lapse, statuses, worked_on
from tests.support.engine import ScriptedHandler
from tests.support.refusals import refused_by_postgres

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("kept_connection")]


def events(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [entry["event"] for entry in logs]


def written_never(subject: str, error: type[Error]) -> AbstractContextManager[None]:
    """Postgres refuses the outcome of that job, whatever it is."""
    when = f"NEW.subject = '{subject}' AND NEW.lease_token IS NULL"
    return refused_by_postgres("UPDATE", "jobs_job", when, error)


class Bad(ScriptedHandler):
    """Its apply meets with trouble for the named jobs, as long as there is some."""

    def __init__(self, *troubles: Exception, names: Sequence[str] = ("bad",)) -> None:
        super().__init__(apply=self.meet)
        self.troubles, self.names, self.met = list(troubles), names, 0

    def meet(self, jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        if work["name"] in self.names and self.troubles:
            self.met += 1
            raise self.troubles.pop()
        return {job.pk: Done() for job in jobs}


# A database that works, and refuses a unit


@pytest.mark.parametrize("error", [OperationalError("deadlock"), InterfaceError("odd")])
def test_a_unit_that_the_database_refuses_holds_nobody_up(
    register: Register, error: Exception
) -> None:
    handler = Bad(*[error] * 2)
    register(handler=handler)
    executor = worked_on("a", "bad", "c")
    waiting = executor.completer.take()
    executor.completer.write(waiting)
    assert statuses() == {"a": "completed", "bad": "processing", "c": "completed"}
    assert [unit.jobs[0].subject for unit in waiting] == ["bad"]
    assert [job.subject for job in executor.live.jobs()] == ["bad"]
    executor.completer.write(waiting)
    assert statuses()["bad"] == "completed"
    assert (waiting, executor.live.jobs(), handler.met) == ([], [], 2)


def test_a_unit_that_is_refused_over_and_over_has_failed_an_attempt(register: Register) -> None:
    handler = Bad(*[OperationalError("canceled by statement timeout")] * 99)
    register(handler=handler)
    executor = worked_on("bad")
    waiting = executor.completer.take()
    for _ in range(MOST_REFUSALS):
        assert statuses() == {"bad": "processing"}
        executor.completer.write(waiting)
    assert handler.met == MOST_REFUSALS
    executor.completer.write(waiting)
    job = Job.objects.get()
    assert (job.status, job.attempts) == ("pending", 1)
    assert job.error == "OperationalError: canceled by statement timeout"
    assert (waiting, executor.live.jobs()) == ([], [])


def test_a_unit_whose_failure_cannot_be_written_either_is_left_to_its_lease(
    register: Register,
) -> None:
    register()
    rounds = 0
    with written_never("bad", QueryCanceled), capture_logs() as logs:
        executor = worked_on("a", "bad", "c")
        waiting = executor.completer.take()
        while waiting:
            rounds += 1
            executor.completer.write(waiting)
            assert rounds <= 3 * MOST_REFUSALS
    assert statuses() == {"a": "completed", "bad": "processing", "c": "completed"}
    assert executor.live.jobs() == []
    assert events(logs).count("jobs_unwritable") == 1
    assert rounds > MOST_REFUSALS


def test_a_job_whose_outcome_cannot_be_written_is_left_to_its_lease(register: Register) -> None:
    def refuse(job: Job, error: str) -> None:
        raise LookupError("no such instance")

    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        return {job.pk: GiveUp("never") if work["name"] == "bad" else Done() for job in jobs}

    register(handler=ScriptedHandler(apply=apply, on_give_up=refuse))
    executor = worked_on("a", "bad", "c")
    with capture_logs() as logs:
        executor.complete()
    assert statuses() == {"a": "completed", "bad": "processing", "c": "completed"}
    assert executor.live.jobs() == []
    assert events(logs) == ["jobs_unwritable"]


def test_a_transaction_that_fails_at_its_end_harms_only_its_own_unit(
    register: Register,
) -> None:
    """What is written after apply is beyond a unit's own savepoint."""
    register()
    with written_never("bad", CheckViolation), capture_logs():
        executor = worked_on("a", "bad", "c")
        executor.complete()
    assert statuses() == {"a": "completed", "bad": "processing", "c": "completed"}


# A database that is away


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_everything_waits_and_nothing_is_held_against_it(
    register: Register,
) -> None:
    handler = register()
    executor = worked_on("a", "b")
    waiting = executor.completer.take()
    with connection.execute_wrapper(_refuse), capture_logs() as logs:
        for _ in range(3 * MOST_REFUSALS):
            executor.completer.write(waiting)
    assert events(logs).count("jobs_apply_postponed") == 3 * MOST_REFUSALS
    assert [unit.refusals for unit in waiting] == [0, 0]
    assert len(executor.live.jobs()) == 2
    assert handler.applied == []
    executor.completer.write(waiting)
    assert statuses() == {"a": "completed", "b": "completed"}
    assert {job.attempts for job in Job.objects.all()} == {1}
    assert not Counter.objects.exists()


@pytest.mark.parametrize("error", [ReadOnlySqlTransaction, DiskFull, InsufficientPrivilege])
def test_while_no_write_succeeds_results_are_kept_and_nothing_is_held_against_them(
    register: Register, error: type[Exception]
) -> None:
    """Such a database answers reads, so it looks as if it refused these units only."""
    refused = OperationalError("refused")
    refused.__cause__ = error()
    handler = Bad(*[refused] * 3 * MOST_REFUSALS, names=("a", "b"))
    register(handler=handler)
    executor = worked_on("a", "b")
    waiting = executor.completer.take()
    for _ in range(3 * MOST_REFUSALS):
        executor.completer.write(waiting)
    assert [unit.refusals for unit in waiting] == [0, 0]
    assert len(executor.live.jobs()) == 2
    executor.completer.write(waiting)
    assert statuses() == {"a": "completed", "b": "completed"}


def _refuse(*_: Any) -> None:
    raise OperationalError("connection refused")


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_lost_is_replaced_at_once(register: Register) -> None:
    register()
    executor = worked_on("a", "b")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    in_thread(lambda: _terminate(pid))
    waiting = executor.completer.take()
    executor.completer.write(waiting)
    assert statuses() == {"a": "completed", "b": "completed"}
    assert waiting == []


def _terminate(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    return True


@pytest.mark.django_db(transaction=True)
def test_what_was_written_is_not_written_again_when_a_later_group_has_trouble(
    register: Register,
) -> None:
    bad = Bad(OperationalError("gone"), names=["late"])
    register("a")
    register("b", handler=bad)
    executor = worked_on(a=["early"], b=["late"])
    waiting = executor.completer.take()

    def go_away(execute: Any, *statement: Any) -> Any:
        return _refuse() if bad.met else execute(*statement)

    with connection.execute_wrapper(go_away), capture_logs():
        executor.completer.write(waiting)
    assert [unit.jobs[0].subject for unit in waiting] == ["late"]
    assert statuses() == {"early": "completed", "late": "processing"}
    executor.completer.write(waiting)
    assert statuses() == {"early": "completed", "late": "completed"}
    assert not Counter.objects.exists()


# Whose row it is


def test_a_result_that_comes_after_the_lease_was_lost_is_dropped_and_counted(
    register: Register,
) -> None:
    handler = register()
    executor = worked_on("mine", "lost", "lost too")
    Job.objects.filter(subject__startswith="lost").update(lease_token=1)
    with capture_logs() as logs:
        executor.complete()
    assert statuses() == {"mine": "completed", "lost": "processing", "lost too": "processing"}
    assert handler.applied == [Job.objects.get(subject="mine").pk]
    assert [(each["event"], each["count"]) for each in logs] == [("jobs_stale_writes_refused", 2)]
    assert Counter.objects.get(name=counters.STALE_WRITES_REFUSED).value == 2
    assert executor.live.jobs() == []


def test_an_old_token_does_not_pass_with_the_new_one_of_the_same_process(
    register: Register,
) -> None:
    """Frozen past its lease, a process may claim its own row before it writes the old result."""
    handler = register()
    executor = worked_on("a")
    lapse(Job.objects.get(subject="a"))
    executor.run_once()
    both = executor.completer.take()
    assert len({unit.jobs[0].lease_token for unit in both}) == 2
    with capture_logs() as logs:
        executor.completer.write(both)
    assert (len(handler.applied), statuses()) == (1, {"a": "completed"})
    assert [each["count"] for each in logs] == [1]


def test_work_that_is_done_twice_is_written_once(register: Register) -> None:
    handler = register()
    executor = worked_on("a")
    (finished,) = executor.completer.take()
    with capture_logs():
        for _ in range(2):
            executor.completer.write([finished])
    assert len(handler.applied) == 1
    assert statuses() == {"a": "completed"}


def test_releasing_nothing_is_harmless(register: Register) -> None:
    completer.release([])
