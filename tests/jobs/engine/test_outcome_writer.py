"""How jobs end or go on: outcomes to row states."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from jobs import queue
from jobs.engine import outcome_writer
from jobs.handler import RetryPolicy
from jobs.models import Job
from jobs.outcomes import Again, Done, GiveUp, Outcome, Released, Retry
from tests.jobs.conftest import Register
from tests.jobs.rows import claim, lapse, started
from tests.support.engine import ScriptedHandler, database_time

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def written(outcome: Outcome, **state: object) -> Job:
    """A job at work with this state, after the outcome."""
    job = queue.enqueue("noop", payload={}, dedupe_key="k")
    claim()
    Job.objects.update(**state)
    job = Job.objects.get()
    with transaction.atomic():
        outcome_writer.write_outcomes({job.pk: job}, {job.pk: outcome})
    return Job.objects.latest("pk")


def test_done_ends_a_job_and_forgets_its_error(register: Register) -> None:
    register()
    job = written(Done(), error="earlier", is_suspect=True)
    assert (job.status, job.error, job.lease_token, job.is_suspect) == (
        "completed",
        "",
        None,
        False,
    )
    assert job.completed_at is not None


def test_done_goes_once_more_when_it_was_asked_for_meanwhile(register: Register) -> None:
    register()
    job = written(Done(), rerun=True, attempts=3)
    assert (job.status, job.rerun, job.attempts, job.completed_at) == ("pending", False, 0, None)
    assert job.run_at <= database_time()


def test_again_waits_and_forgets_the_attempts(register: Register) -> None:
    register()
    job = written(Again(MINUTE), attempts=4)
    assert (job.status, job.attempts, job.lease_token) == ("pending", 0, None)
    assert timedelta(seconds=50) < job.run_at - database_time() <= MINUTE


def test_again_is_due_at_once_when_it_was_asked_for_meanwhile(register: Register) -> None:
    register()
    job = written(Again(MINUTE), rerun=True)
    assert job.run_at <= database_time()
    assert job.rerun is False


def test_a_released_job_gets_its_attempt_back(register: Register) -> None:
    register()
    job = written(Released(), attempts=3)
    assert (job.status, job.attempts) == ("pending", 2)
    assert job.run_at <= database_time()


def test_a_failed_attempt_waits_by_the_policy_and_keeps_its_error(register: Register) -> None:
    register(retry=RetryPolicy(max_attempts=5, first=MINUTE, longest=9 * MINUTE, jitter=0))
    job = written(Retry("boom", traceback="at line 1"), attempts=3, max_attempts=5)
    assert (job.status, job.attempts, job.error) == ("pending", 3, "boom")
    assert 3.9 * MINUTE < job.run_at - database_time() <= 4 * MINUTE
    (entry,) = job.errors
    assert (entry["attempt"], entry["error"], entry["traceback"]) == (3, "boom", "at line 1")


def test_a_failed_attempt_may_name_its_own_wait(register: Register) -> None:
    register()
    job = written(Retry("busy", after=MINUTE))
    assert timedelta(seconds=50) < job.run_at - database_time() <= MINUTE


@pytest.mark.parametrize("outcome", [Retry("boom"), GiveUp("boom")])
def test_the_last_attempt_fails_the_job_and_its_handler_hears(
    register: Register, outcome: Outcome
) -> None:
    heard: list[tuple[str, str]] = []
    handler = ScriptedHandler(on_give_up=lambda job, error: heard.append((job.status, error)))
    register(handler=handler)
    job = written(outcome, attempts=5, max_attempts=5)
    assert (job.status, job.error, job.lease_token) == ("failed", "boom", None)
    assert job.completed_at is not None
    assert heard == [("failed", "boom")]


def test_giving_up_does_not_wait_for_the_last_attempt(register: Register) -> None:
    register()
    assert written(GiveUp("never"), attempts=1).status == "failed"


def test_a_job_does_not_fail_when_its_handler_cannot_follow(register: Register) -> None:
    def refuse(job: Job, error: str) -> None:
        raise LookupError("no such thing")

    register(handler=ScriptedHandler(on_give_up=refuse))
    with pytest.raises(LookupError):
        written(GiveUp("never"))
    assert Job.objects.get().status == "processing"


def test_only_the_last_ten_errors_are_kept(register: Register) -> None:
    register()
    old = [{"error": str(n)} for n in range(10)]
    job = written(Retry("newest"), errors=old, attempts=1)
    assert [entry["error"] for entry in job.errors] == [*(str(n) for n in range(1, 10)), "newest"]


def test_what_was_changed_meanwhile_survives_giving_up(register: Register) -> None:
    """An operator's change to the row must not be undone by the worker's older copy."""
    register()
    job = queue.enqueue("noop", payload={})
    (row,) = claim()
    Job.objects.update(priority=4)
    with transaction.atomic():
        outcome_writer.give_up(row, "never")
    job.refresh_from_db()
    assert (job.status, job.priority) == ("failed", 4)


def test_what_was_asked_for_while_a_job_failed_is_still_done(register: Register) -> None:
    """The mark is made on the row after the worker has read it."""
    register()
    asked = {"dedupe_key": "k", "subject": "s", "priority": 3, "request_id": "r"}
    job = queue.enqueue("noop", payload={"a": 1}, **asked)
    (row,) = claim()
    queue.enqueue("noop", payload={"a": 1}, **asked)
    with transaction.atomic():
        outcome_writer.write_outcomes({row.pk: row}, {row.pk: GiveUp("never")})
    job.refresh_from_db()
    assert (job.status, job.rerun) == ("failed", False)
    fresh = Job.objects.live().get()
    assert {name: getattr(fresh, name) for name in asked} == asked
    assert (fresh.payload, fresh.attempts, fresh.errors) == ({"a": 1}, 0, [])


def test_the_same_holds_for_a_row_whose_workers_died(register: Register) -> None:
    register()
    row = orphaned(attempts=5)
    Job.objects.update(rerun=True)
    outcome_writer.fail_exhausted(row)
    assert list(Job.objects.order_by("pk").values_list("status", flat=True)) == [
        "failed",
        "pending",
    ]


def test_what_a_handler_asks_for_as_it_gives_up_is_not_doubled(register: Register) -> None:
    def ask_anew(job: Job, error: str) -> None:
        queue.enqueue("noop", payload={}, dedupe_key="k")

    register(handler=ScriptedHandler(on_give_up=ask_anew))
    assert written(GiveUp("never"), rerun=True).status == "pending"


# Rows of workers that died


def orphaned(attempts: int) -> Job:
    job = started()
    Job.objects.update(attempts=attempts)
    lapse(job)
    (row,) = claim()
    return row


def test_a_row_that_killed_its_workers_fails(register: Register) -> None:
    heard: list[str] = []
    register(handler=ScriptedHandler(on_give_up=lambda job, error: heard.append(error)))
    outcome_writer.fail_exhausted(orphaned(attempts=5))
    assert Job.objects.get().status == "failed"
    assert heard == ["The worker died in each of 5 attempts."]


def test_a_row_taken_over_meanwhile_does_not_fail(register: Register) -> None:
    register()
    row = orphaned(attempts=5)
    Job.objects.update(lease_token=(row.lease_token or 0) + 1)
    outcome_writer.fail_exhausted(row)
    assert Job.objects.get().status == "processing"
