"""Batches through load and call, in whatever way they go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from django.db import IntegrityError
from structlog.testing import capture_logs

from accounts.models import Project
from jobs import counters
from jobs.engine import leasing, shared_memory
from jobs.handler import Resolved, RetryPolicy, WorkItem
from jobs.models import Counter, Job
from jobs.outcomes import Done, Outcome
from tests.conftest import MonotonicClock
from tests.jobs.conftest import Register
from tests.jobs.rows import add_named, lapse, started, statuses, suspect
from tests.support.engine import DrivenExecutor, ScriptedHandler, database_time, make_due, run_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cluster")]


# A batch


def test_a_batch_is_loaded_called_about_and_applied(register: Register) -> None:
    handler = register()
    jobs = add_named("a", "b")
    executor = DrivenExecutor(threads=2)
    executor.run_once()
    assert statuses() == {"a": "processing", "b": "processing"}
    assert set(executor.live.tokens()) == {job.pk for job in jobs}
    executor.complete()
    assert statuses() == {"a": "completed", "b": "completed"}
    assert handler.applied == [job.pk for job in jobs]
    assert executor.live.jobs() == []


def test_what_load_decides_is_not_called_about(register: Register) -> None:
    def never(work: Any) -> Any:
        raise AssertionError(work)

    decided = ScriptedHandler(
        load=lambda jobs: [Resolved({j.pk: Done() for j in jobs})], call=never
    )
    register(handler=decided)
    add_named("a")
    run_due()
    assert statuses() == {"a": "completed"}


def test_a_shared_unit_is_applied_as_one(register: Register) -> None:
    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        assert (len(jobs), work, result) == (2, "all", "all")
        return {job.pk: Done() for job in jobs}

    register(handler=ScriptedHandler(load=lambda jobs: [WorkItem(jobs, "all")], apply=apply))
    add_named("a", "b")
    run_due()
    assert set(statuses().values()) == {"completed"}


# Suspects


def test_a_suspect_whose_lease_was_lost_starts_nothing(register: Register) -> None:
    handler = register()
    row = suspect()
    row.lease_token = (row.lease_token or 0) + 1
    executor = DrivenExecutor(threads=2)
    executor.work([row])
    executor.complete()
    assert (handler.applied, executor.live.jobs()) == ([], [])
    assert Job.objects.get().attempts == 1


def test_a_suspect_is_tried_again_by_itself(register: Register) -> None:
    batches: list[int] = []

    def load(jobs: Sequence[Job]) -> list[Resolved]:
        batches.append(len(jobs))
        return [Resolved({job.pk: Done() for job in jobs})]

    register(handler=ScriptedHandler(load=load))
    rows = [started(), started()]
    lapse(*rows)
    add_named("a", "b")
    run_due()
    assert batches == [2, 1, 1]
    assert set(Job.objects.values_list("status", flat=True)) == {"completed"}
    assert Job.objects.get(pk=rows[0].pk).attempts == 2
    assert Counter.objects.get(name=counters.LEASES_LAPSED).value == 2


def test_a_row_that_killed_every_worker_fails_and_one_that_cannot_fail_holds_nobody_up(
    register: Register,
) -> None:
    def refuse(job: Job, error: str) -> None:
        raise LookupError("no such thing")

    register("cursed", handler=ScriptedHandler(on_give_up=refuse))
    register("spent")
    register("noop")
    cursed, spent = started("cursed"), started("spent")
    lapse(cursed, spent)
    Job.objects.update(attempts=5)
    add_named("healthy")
    with capture_logs():
        run_due()
    found = dict(Job.objects.values_list("type", "status"))
    assert found == {"cursed": "processing", "spent": "failed", "noop": "completed"}


# What raises


def test_a_load_that_raises_costs_an_attempt_of_each(register: Register) -> None:
    def load(jobs: Sequence[Job]) -> Any:
        raise LookupError("no such table")

    register(handler=ScriptedHandler(load=load))
    add_named("a", "b")
    run_due()
    for job in Job.objects.all():
        assert (job.status, job.attempts) == ("pending", 1)
        assert job.error == "LookupError: no such table"
        assert "in load" in job.errors[0]["traceback"]


@pytest.mark.parametrize("step", ["call", "apply"])
def test_an_item_that_raises_harms_no_other(register: Register, step: str) -> None:
    def call(work: Any) -> None:
        if step == "call" and work["name"] == "bad":
            raise LookupError("lost")

    def apply(jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        if step == "apply" and work["name"] == "bad":
            raise LookupError("lost")
        return {job.pk: Done() for job in jobs}

    register(handler=ScriptedHandler(call=call, apply=apply))
    add_named("a", "bad", "c")
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
    add_named("twice", type_="bad")
    add_named("once", type_="good")
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

    def call(work: Any) -> None:
        raise {"refused": Refused, "busy": Busy}[work["name"]]("so it is")

    register(handler=ScriptedHandler(call=call))
    add_named("refused", "busy")
    run_due()
    assert statuses() == {"refused": "failed", "busy": "pending"}
    assert Job.objects.get(subject="busy").run_at > database_time() + leasing.LEASE * 100


def test_the_last_attempt_that_raises_fails_the_job(register: Register) -> None:
    heard: list[str] = []

    def call(work: Any) -> None:
        raise LookupError("lost")

    handler = ScriptedHandler(call=call, on_give_up=lambda job, error: heard.append(error))
    register(handler=handler, retry=RetryPolicy(max_attempts=2))
    add_named("a")
    run_due()
    assert (statuses(), heard) == ({"a": "pending"}, [])
    make_due()
    run_due()
    assert (statuses(), heard) == ({"a": "failed"}, ["LookupError: lost"])


def test_an_error_text_that_postgres_cannot_hold_is_made_fit(register: Register) -> None:
    def call(work: Any) -> None:
        raise LookupError("a \x00 byte and a lone \ud800")

    register(handler=ScriptedHandler(call=call))
    add_named("a")
    run_due()
    assert Job.objects.get().error == "LookupError: a  byte and a lone ?"


def test_a_job_that_load_forgot_is_tried_again(register: Register) -> None:
    """Left alone it would stay live until its run limit ended the whole worker."""
    register(handler=ScriptedHandler(load=lambda jobs: [WorkItem(jobs[:1], {})]))
    add_named("a", "forgotten")
    run_due()
    assert statuses() == {"a": "completed", "forgotten": "pending"}
    assert "noop" in Job.objects.get(subject="forgotten").error


# Stopping


def test_what_still_runs_at_a_stop_is_given_back_with_its_attempt(
    register: Register, monotonic: MonotonicClock
) -> None:
    register()
    mine, lost = add_named("mine", "lost")
    executor = DrivenExecutor(threads=2, sleep=monotonic.sleep)
    executor.run_once()
    Job.objects.filter(pk=lost.pk).update(lease_token=1)
    executor.stop()
    assert statuses() == {"mine": "pending", "lost": "processing"}
    assert Job.objects.get(pk=mine.pk).attempts == 0
    with capture_logs():
        executor.complete()
    assert statuses() == {"mine": "pending", "lost": "processing"}


def test_what_has_not_begun_when_the_cluster_stops_is_given_back(register: Register) -> None:
    def call(work: Any) -> None:
        called.append(work["name"])
        shared_memory.set_stopping(True)

    called: list[str] = []
    register(handler=ScriptedHandler(call=call))
    add_named("a", "b", "c")
    executor = DrivenExecutor(threads=1)
    executor.run_once()
    executor.complete()
    assert called == ["a"]
    assert statuses() == {"a": "completed", "b": "pending", "c": "pending"}
    assert dict(Job.objects.values_list("subject", "attempts")) == {"a": 1, "b": 0, "c": 0}
    assert executor.live.jobs() == []
