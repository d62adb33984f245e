"""What people do to jobs: cancel, run again, pause; one by one and by filter."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import structlog
from django.db import connection, transaction

from jobs import control
from jobs.engine import leasing, outcome_writer
from jobs.errors import JobNotCancellable, JobNotRedrivable
from jobs.models import Job
from jobs.outcomes import Done
from tests.jobs.conftest import Register, in_thread
from tests.jobs.rows import add, claim, started
from tests.support.engine import DrivenExecutor, ScriptedHandler, database_time

pytestmark = pytest.mark.django_db


def failed(**fields: Any) -> Job:
    job = add(**fields)
    Job.objects.filter(pk=job.pk).update(
        status="failed",
        completed_at=database_time(),
        attempts=5,
        error="why",
        errors=[{"error": 1}],
    )
    job.refresh_from_db()
    return job


def history(job: Job) -> list[Any]:
    job.refresh_from_db()
    return [entry["error"] for entry in job.errors]


# Cancel


def test_a_waiting_job_is_cancelled_and_its_handler_hears(register: Register) -> None:
    heard: list[tuple[str, bool]] = []
    register(
        handler=ScriptedHandler(
            on_cancel=lambda job: heard.append((job.status, connection.in_atomic_block))
        )
    )
    job = control.cancel(add(), actor="ada")
    assert (job.status, job.lease_token) == ("cancelled", None)
    assert job.completed_at is not None
    assert heard == [("cancelled", True)]
    assert history(job) == ["cancelled by ada"]
    assert claim() == []


def test_a_cancelled_job_at_work_keeps_nothing_of_its_worker(register: Register) -> None:
    """Its call is under way when it is cancelled: what it found out is written nowhere."""

    def call(work: Any) -> Any:
        control.cancel(Job.objects.get(), actor="ada")
        return work

    handler = register(handler=ScriptedHandler(call=call))
    add(dedupe_key="k")
    executor = DrivenExecutor(threads=1)
    executor.run_once()
    executor.complete()
    job = Job.objects.get()
    assert (job.status, job.lease_token, job.lease_expires_at) == ("cancelled", None, None)
    assert handler.applied == []
    # The key is free: the same work may be asked for anew.
    assert add(dedupe_key="k").pk != job.pk


def test_cancelling_forgets_that_the_work_was_asked_for_once_more(register: Register) -> None:
    register()
    job = started(dedupe_key="k")
    add(dedupe_key="k")
    assert control.cancel(job, actor="ada").rerun is False
    assert not Job.objects.live().exists()


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_what_has_ended_is_not_cancelled(register: Register, status: str) -> None:
    register()
    job = add()
    Job.objects.update(status=status, completed_at=database_time())
    with pytest.raises(JobNotCancellable, match=status):
        control.cancel(job, actor="ada")
    assert history(job) == []


def test_a_refusal_says_why(register: Register) -> None:
    register("half", handler=ScriptedHandler(is_cancellable=False))
    register("tick", is_recurring=True)
    with pytest.raises(JobNotCancellable, match="half done"):
        control.cancel(add("half"), actor="ada")
    with pytest.raises(JobNotCancellable, match="recurring"):
        control.cancel(add("tick"), actor="ada")
    assert Job.objects.live().count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_just_being_finished_is_not_cancelled(register: Register) -> None:
    """The worker holds the row: whoever cancels waits for it and then finds that it has ended."""
    register()
    job = started()
    refusals: list[str] = []

    def cancel() -> bool:
        with pytest.raises(JobNotCancellable) as refusal:
            control.cancel(job, actor="ada")
        refusals.append(str(refusal.value))
        return True

    with transaction.atomic():
        outcome_writer.write_outcomes(
            {job.pk: job}, dict.fromkeys(leasing.lock_owned([job]), Done())
        )
        thread = threading.Thread(target=lambda: in_thread(cancel))
        thread.start()
        until_somebody_waits()
    thread.join(timeout=20)
    job.refresh_from_db()
    assert (job.status, len(refusals)) == ("completed", 1)
    assert "completed" in refusals[0]


def test_verbs_are_logged_with_who_did_them(register: Register) -> None:
    register()
    with structlog.testing.capture_logs() as logs:
        cancelled = control.cancel(add(), actor="ada")
        redriven = control.redrive(failed(), actor="bob")
        control.pause("noop", actor="eve", reason="why not")
        control.resume("noop", actor="eve")
    told = [(log["event"], log["actor"], log.get("job_id", log["type"])) for log in logs]
    assert told == [
        ("job_cancelled", "ada", cancelled.public_id),
        ("job_redriven", "bob", redriven.public_id),
        ("job_type_paused", "eve", "noop"),
        ("job_type_resumed", "eve", "noop"),
    ]


# Redrive


def test_a_redriven_job_goes_again_with_all_its_attempts(register: Register) -> None:
    handler = register()
    job = failed()
    Job.objects.update(run_at=database_time() - 60 * leasing.LEASE)
    job = control.redrive(job, actor="ada")
    assert (job.status, job.attempts, job.completed_at) == ("pending", 0, None)
    assert history(job) == [1, "run again by ada"]
    assert job.run_at > database_time(-leasing.LEASE)
    assert handler.redriven == [job.pk]


@pytest.mark.parametrize("status", ["pending", "completed", "cancelled"])
def test_only_failed_jobs_are_redriven(register: Register, status: str) -> None:
    register()
    job = failed()
    ended = None if status == "pending" else database_time()
    Job.objects.update(status=status, completed_at=ended)
    with pytest.raises(JobNotRedrivable, match=status):
        control.redrive(job, actor="ada")


def test_a_type_may_refuse_to_be_redriven(register: Register) -> None:
    register(handler=ScriptedHandler(is_redrivable=False))
    with pytest.raises(JobNotRedrivable, match="noop"):
        control.redrive(failed(), actor="ada")


def test_a_job_is_not_redriven_beside_the_same_work(register: Register) -> None:
    handler = register()
    job = failed(dedupe_key="k")
    add(dedupe_key="k")
    with transaction.atomic():
        with pytest.raises(JobNotRedrivable, match="Another live job"):
            control.redrive(job, actor="ada")
        # The caller's transaction is still of use.
        assert Job.objects.get(pk=job.pk).status == "failed"
    assert handler.redriven == []


@pytest.mark.django_db(transaction=True)
def test_a_job_is_not_redriven_beside_work_that_is_just_being_added(register: Register) -> None:
    """The other row is not committed when the redriving begins: only the index knows of it."""
    register()
    job = failed(dedupe_key="k")
    refusals: list[str] = []

    def redrive() -> bool:
        with pytest.raises(JobNotRedrivable) as refusal:
            control.redrive(job, actor="ada")
        refusals.append(str(refusal.value))
        return True

    with transaction.atomic():
        add(dedupe_key="k")
        thread = threading.Thread(target=lambda: in_thread(redrive))
        thread.start()
        until_somebody_waits()
    thread.join(timeout=20)
    assert len(refusals) == 1
    assert "Another live job" in refusals[0]


def until_somebody_waits() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '10s'")
        cursor.execute(
            "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
            " LOOP PERFORM pg_sleep(0.01); END LOOP; END $$"
        )


def test_however_often_a_job_is_redriven_its_history_stays_short(register: Register) -> None:
    register()
    job = failed()
    for _ in range(outcome_writer.KEPT_ERRORS + 3):
        control.redrive(job, actor="ada")
        Job.objects.update(status="failed", completed_at=database_time())
    assert history(job) == ["run again by ada"] * outcome_writer.KEPT_ERRORS


# By filter


def test_one_refusal_does_not_undo_the_others(register: Register) -> None:
    register()
    rows = [failed(), failed(dedupe_key="k"), failed()]
    add(dedupe_key="k")
    swept = control.redrive_matching(Job.objects.all(), actor="ada")
    assert (swept.count, swept.is_capped) == (2, False)
    assert swept.refused == [f"Another live job already does the work of job {rows[1].public_id}."]
    rows[2].refresh_from_db()
    assert rows[2].status == "pending"


def test_only_what_matches_and_has_failed_goes_again(register: Register) -> None:
    register()
    other, mine, done = failed(subject="b"), failed(subject="a"), add(subject="a")
    Job.objects.filter(pk=done.pk).update(status="completed", completed_at=database_time())
    swept = control.redrive_matching(Job.objects.filter(subject="a"), actor="ada")
    assert (swept.count, swept.refused) == (1, [])
    assert set(Job.objects.values_list("pk", "status")) == {
        *((other.pk, "failed"), (mine.pk, "pending"), (done.pk, "completed"))
    }


def test_more_than_the_limit_is_left_for_the_next_time(register: Register) -> None:
    register()
    rows = [failed() for _ in range(3)]
    swept = control.redrive_matching(Job.objects.all(), actor="ada", limit=2)
    assert (swept.count, swept.is_capped) == (2, True)
    assert Job.objects.get(status="failed").pk == rows[2].pk
    swept = control.redrive_matching(Job.objects.all(), actor="ada", limit=2)
    assert (swept.count, swept.is_capped) == (1, False)


def test_live_jobs_are_cancelled_by_filter(register: Register) -> None:
    register()
    register("half", handler=ScriptedHandler(is_cancellable=False))
    started()
    add()
    add("half")
    failed()
    swept = control.cancel_matching(Job.objects.all(), actor="ada")
    assert (swept.count, len(swept.refused)) == (2, 1)
    assert sorted(Job.objects.values_list("status", flat=True)) == [
        *("cancelled", "cancelled", "failed", "pending")
    ]
