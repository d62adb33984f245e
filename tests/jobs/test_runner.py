"""Batches through load, talk and apply, in whatever way they go wrong."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from structlog.testing import capture_logs

from accounts.models import Project
from jobs import heartbeat, leasing, queue, settle
from jobs.models import Job
from jobs.outcomes import Done, GiveUp, Outcome
from jobs.registry import Decided, RetryPolicy, Unit
from jobs.runner import Finished, Runner, release
from tests.engine import DrivenRunner, ScriptedHandler, database_time, run_due
from tests.jobs.conftest import Register

pytestmark = pytest.mark.django_db


def add(*names: str, type_: str = "noop") -> list[Job]:
    return [queue.enqueue(type_, payload={"name": name}, subject=name) for name in names]


def statuses() -> dict[str, str]:
    return dict(Job.objects.values_list("subject", "status"))


def handed_over(runner: Runner) -> None:
    leases = leasing.claim(worker="test")
    runner.run([(lease.job_id, lease.token) for lease in leases])


def test_a_batch_is_loaded_talked_about_and_applied(register: Register) -> None:
    handler = register()
    jobs = add("a", "b")
    runner = DrivenRunner(threads=2)
    handed_over(runner)
    assert statuses() == {"a": "processing", "b": "processing"}
    assert set(runner.live.tokens()) == {job.pk for job in jobs}
    runner.keep()
    assert statuses() == {"a": "completed", "b": "completed"}
    assert handler.applied == [job.pk for job in jobs]
    assert runner.live.jobs() == []


def test_what_load_decides_is_not_talked_about(register: Register) -> None:
    def never(work: Any) -> Any:
        raise AssertionError(work)

    decided = ScriptedHandler(load=lambda jobs: [Decided({j.pk: Done() for j in jobs})], talk=never)
    register(handler=decided)
    add("a")
    run_due()
    assert statuses() == {"a": "completed"}


def test_a_shared_unit_is_applied_as_one(register: Register) -> None:
    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        assert (len(jobs), work, result) == (2, "all", "all")
        return {job.pk: Done() for job in jobs}

    register(handler=ScriptedHandler(load=lambda jobs: [Unit(jobs, "all")], apply=apply))
    add("a", "b")
    run_due()
    assert set(statuses().values()) == {"completed"}


def test_a_slow_item_does_not_hold_back_its_batch(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "_begin", lambda self: None)
    is_free = threading.Event()
    talked = threading.Semaphore(0)

    def talk(work: Any) -> None:
        if work["name"] == "slow":
            assert is_free.wait(timeout=20)
        talked.release()

    register(handler=ScriptedHandler(talk=talk))
    add("slow", "b", "c")
    runner = Runner(threads=3)
    handed_over(runner)
    finished = [runner._finished.get(timeout=20) for _ in range(2)]
    runner._apply_all(list(finished))
    assert statuses() == {"slow": "processing", "b": "completed", "c": "completed"}
    is_free.set()
    runner._apply_all([runner._finished.get(timeout=20)])
    assert statuses()["slow"] == "completed"
    runner._pool.shutdown()


def test_the_main_thread_waits_for_a_slot_instead_of_piling_up_work(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "_begin", lambda self: None)
    at_once: list[int] = []
    running: set[str] = set()
    lock = threading.Lock()

    def talk(work: Any) -> None:
        with lock:
            running.add(work["name"])
            at_once.append(len(running))
        with lock:
            running.discard(work["name"])

    register(handler=ScriptedHandler(talk=talk))
    add(*"abcdef")
    runner = Runner(threads=2)
    handed_over(runner)
    assert runner._pool._work_queue.qsize() <= 2
    runner._pool.shutdown()
    assert len(at_once) == 6
    assert max(at_once) <= 2


# What raises


def test_a_load_that_raises_costs_an_attempt_of_each(register: Register) -> None:
    def load(jobs: Sequence[Job]) -> Any:
        raise LookupError("no such table")

    register(handler=ScriptedHandler(load=load))
    add("a", "b")
    run_due()
    for job in Job.objects.all():
        assert (job.status, job.attempts) == ("pending", 1)
        assert job.error == "LookupError: no such table"
        assert "in load" in job.errors[0]["traceback"]


@pytest.mark.parametrize("step", ["talk", "apply"])
def test_an_item_that_raises_harms_no_other(register: Register, step: str) -> None:
    def talk(work: Any) -> None:
        if step == "talk" and work["name"] == "bad":
            raise LookupError("lost")

    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        if step == "apply" and work["name"] == "bad":
            raise LookupError("lost")
        return {job.pk: Done() for job in jobs}

    register(handler=ScriptedHandler(talk=talk, apply=apply))
    add("a", "bad", "c")
    run_due()
    assert statuses() == {"a": "completed", "bad": "pending", "c": "completed"}
    assert Job.objects.get(subject="bad").error == "LookupError: lost"


def test_what_apply_wrote_before_it_raised_is_undone(register: Register) -> None:
    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        Project.objects.create(name=work["name"])
        Project.objects.create(name=work["name"])
        raise AssertionError

    good = ScriptedHandler(apply=lambda jobs, work, result: _make_project(jobs, work))
    register("bad", handler=ScriptedHandler(apply=apply))
    register("good", handler=good)
    add("twice", type_="bad")
    add("once", type_="good")
    run_due()
    assert statuses() == {"twice": "pending", "once": "completed"}
    assert Job.objects.get(subject="twice").error.startswith(IntegrityError.__name__)
    assert [project.name for project in Project.objects.all()] == ["once"]


def _make_project(jobs: Sequence[Job], work: Any) -> Mapping[int, Outcome]:
    Project.objects.create(name=work["name"])
    return {job.pk: Done() for job in jobs}


def test_an_error_says_itself_whether_another_try_makes_sense(register: Register) -> None:
    class Refused(Exception):
        retryable = False

    class Busy(Exception):
        retry_after = 3600

    def talk(work: Any) -> None:
        raise {"refused": Refused, "busy": Busy}[work["name"]]("so it is")

    register(handler=ScriptedHandler(talk=talk))
    add("refused", "busy")
    run_due()
    assert statuses() == {"refused": "failed", "busy": "pending"}
    assert Job.objects.get(subject="busy").run_at > database_time() + leasing.LEASE * 100


def test_the_last_attempt_that_raises_fails_the_job(register: Register) -> None:
    heard: list[str] = []

    def talk(work: Any) -> None:
        raise LookupError("lost")

    handler = ScriptedHandler(talk=talk, on_give_up=lambda job, error: heard.append(error))
    register(handler=handler, retry=RetryPolicy(max_attempts=2))
    add("a")
    run_due()
    assert (statuses(), heard) == ({"a": "pending"}, [])
    Job.objects.update(run_at=database_time())
    run_due()
    assert (statuses(), heard) == ({"a": "failed"}, ["LookupError: lost"])


def test_an_error_text_that_postgres_cannot_hold_is_made_fit(register: Register) -> None:
    def talk(work: Any) -> None:
        raise LookupError("a \x00 byte and a lone \ud800")

    register(handler=ScriptedHandler(talk=talk))
    add("a")
    run_due()
    assert Job.objects.get().error == "LookupError: a  byte and a lone ?"


def test_a_job_that_cannot_be_settled_is_left_to_its_lease(register: Register) -> None:
    def refuse(job: Job, error: str) -> None:
        raise LookupError("no such instance")

    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        return {job.pk: GiveUp("never") if work["name"] == "bad" else Done() for job in jobs}

    register(handler=ScriptedHandler(apply=apply, on_give_up=refuse))
    add("a", "bad", "c")
    with capture_logs() as logs:
        run_due()
    assert statuses() == {"a": "completed", "bad": "processing", "c": "completed"}
    assert [entry["event"] for entry in logs] == ["jobs_unwritable"]


def test_a_job_that_load_forgot_is_tried_again(register: Register) -> None:
    """Left alone it would stay live until its run limit ended the whole worker."""
    register(handler=ScriptedHandler(load=lambda jobs: [Unit(jobs[:1], {})]))
    add("a", "forgotten")
    run_due()
    assert statuses() == {"a": "completed", "forgotten": "pending"}
    assert "noop" in Job.objects.get(subject="forgotten").error


def test_what_talks_cost_is_booked_once_for_all_of_them(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked: list[Any] = []
    troubles = [OperationalError("deadlock")]

    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        if troubles:
            raise troubles.pop()
        return {job.pk: Done() for job in jobs}

    monkeypatch.setattr("jobs.runner.connection.close", lambda: None)
    monkeypatch.setattr("jobs.runner.time.sleep", lambda seconds: None)
    register(handler=ScriptedHandler(apply=apply, book=booked.append))
    add("a", "b")
    runner = KeptRunner(threads=2)
    handed_over(runner)
    with capture_logs(), pytest.raises(_EnoughError):
        runner._keep()
    assert booked == [[({"name": "a"}, {"name": "a"}), ({"name": "b"}, {"name": "b"})]]


@pytest.mark.parametrize("error", [OperationalError("deadlock"), LookupError("lost")])
def test_what_cannot_be_booked_is_written_all_the_same(
    register: Register, error: Exception
) -> None:
    """An error that passed the keeper would end it, and with it everything this worker writes."""

    def book(talks: Sequence[Any]) -> None:
        raise error

    register(handler=ScriptedHandler(book=book))
    add("a")
    with capture_logs() as logs:
        run_due()
    assert [entry["event"] for entry in logs] == ["talks_not_booked"]
    assert statuses() == {"a": "completed"}


# Whose row it is


def test_a_result_that_comes_after_the_lease_was_lost_is_dropped(register: Register) -> None:
    handler = register()
    (mine, lost) = add("mine", "lost")
    runner = DrivenRunner(threads=2)
    handed_over(runner)
    Job.objects.filter(pk=lost.pk).update(lease_token=1)
    with capture_logs() as logs:
        runner.keep()
    assert statuses() == {"mine": "completed", "lost": "processing"}
    assert handler.applied == [mine.pk]
    assert [(entry["event"], entry["count"]) for entry in logs] == [
        ("jobs_stale_writes_refused", 1)
    ]
    assert runner.live.jobs() == []


def test_a_message_that_comes_after_the_lease_was_lost_starts_nothing(register: Register) -> None:
    handler = register()
    add("a")
    (lease,) = leasing.claim(worker="test")
    runner = DrivenRunner(threads=2)
    runner.run([(lease.job_id, lease.token + 1)])
    runner.keep()
    assert (handler.applied, runner.live.jobs()) == ([], [])
    assert Job.objects.get().attempts == 0


def test_work_that_is_done_twice_is_written_once(register: Register) -> None:
    handler = register()
    add("a")
    runner = DrivenRunner(threads=2)
    handed_over(runner)
    (finished,) = (runner._finished.get(),)
    runner._apply_all([finished])
    runner._apply_all([finished])
    assert len(handler.applied) == 1
    assert statuses() == {"a": "completed"}


def test_what_still_runs_at_a_stop_is_given_back_with_its_attempt(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.runner.DRAIN_SECONDS", 0)
    register()
    mine, lost = add("mine", "lost")
    runner = DrivenRunner(threads=2)
    handed_over(runner)
    Job.objects.filter(pk=lost.pk).update(lease_token=1)
    runner.stop()
    assert statuses() == {"mine": "pending", "lost": "processing"}
    assert Job.objects.get(pk=mine.pk).attempts == 0
    runner.keep()
    assert statuses() == {"mine": "pending", "lost": "processing"}


def test_releasing_nothing_is_harmless(register: Register) -> None:
    release([])


# The keeper


class _EnoughError(BaseException):
    """Ends the keeper, whose loop has no other end."""


class KeptRunner(DrivenRunner):
    """Its keeper goes round until nothing is left."""

    def _gather(self, *, block: bool) -> list[Finished]:
        gathered = []
        while not self._finished.empty():
            gathered.append(self._finished.get())
        if block and not gathered:
            raise _EnoughError
        return gathered


def test_trouble_with_the_database_is_waited_out(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = [OperationalError("the server closed the connection"), OperationalError("deadlock")]

    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        if troubles:
            raise troubles.pop()
        return {job.pk: Done() for job in jobs}

    monkeypatch.setattr("jobs.runner.connection.close", lambda: None)
    monkeypatch.setattr("jobs.runner.time.sleep", lambda seconds: None)
    register(handler=ScriptedHandler(apply=apply))
    add("a", "b")
    runner = KeptRunner(threads=2)
    handed_over(runner)
    with capture_logs() as logs, pytest.raises(_EnoughError):
        runner._keep()
    assert statuses() == {"a": "completed", "b": "completed"}
    assert [entry["event"] for entry in logs] == ["jobs_apply_postponed"] * 2
    assert {job.attempts for job in Job.objects.all()} == {1}


@pytest.mark.django_db(transaction=True)
def test_the_keeper_applies_beside_the_work(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "start", lambda live: None)
    is_applied = threading.Event()
    keep, apply_all = Runner._keep, Runner._apply_all

    def apply_once(self: Runner, waiting: list[Finished]) -> None:
        apply_all(self, waiting)
        raise _EnoughError

    def keep_once(self: Runner) -> None:
        with pytest.raises(_EnoughError):
            keep(self)
        connection.close()
        is_applied.set()

    monkeypatch.setattr(Runner, "_apply_all", apply_once)
    monkeypatch.setattr(Runner, "_keep", keep_once)
    register()
    add("a")
    runner = Runner(threads=1)
    handed_over(runner)
    assert is_applied.wait(timeout=20)
    assert statuses() == {"a": "completed"}
    runner._pool.shutdown()


@pytest.mark.django_db(transaction=True)
def test_handlers_of_different_types_do_not_share_a_transaction(register: Register) -> None:
    """They lock different things first; in one transaction two workers could deadlock."""
    transactions: dict[str, int] = {}

    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT txid_current()")
            transactions[work["name"]] = cursor.fetchone()[0]
        return {job.pk: Done() for job in jobs}

    register("x", handler=ScriptedHandler(apply=apply))
    register("y", handler=ScriptedHandler(apply=apply))
    add("a", "c", type_="x")
    add("b", "d", type_="y")
    run_due()
    assert transactions["a"] == transactions["c"]
    assert transactions["b"] == transactions["d"]
    assert transactions["a"] != transactions["b"]


def test_a_transaction_that_fails_at_its_end_harms_only_its_own_unit(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Postgres checks at the commit is beyond a unit's own savepoint."""
    write = settle.settle

    def settle_(jobs: Any, outcomes: Any) -> None:
        if any(jobs[pk].subject == "bad" for pk in outcomes):
            raise IntegrityError("deferred")
        write(jobs, outcomes)

    monkeypatch.setattr(settle, "settle", settle_)
    register()
    add("a", "bad", "c")
    with capture_logs(), transaction.atomic():
        run_due()
    assert statuses() == {"a": "completed", "bad": "processing", "c": "completed"}
