"""Starting, keeping and giving back what was claimed, and the tokens that guard it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from accounts.models import Project
from jobs.engine import leasing, outcome_writer
from jobs.engine.claim import Claimer
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome, Released, Retry
from tests.jobs.conftest import Register, in_thread
from tests.jobs.rows import SECOND, add, add_many, claim, ids, lapse, started, suspect
from tests.support.engine import database_time

pytestmark = pytest.mark.django_db


# Tokens


def test_starting_counts_the_attempt_and_renews_the_lease(register: Register) -> None:
    register()
    job = suspect()
    Job.objects.update(lease_expires_at=database_time(SECOND))
    row = leasing.start(job)
    assert row == job
    assert row.attempts == 2
    stored = Job.objects.get()
    assert stored.attempts == 2
    assert stored.processed_at is not None
    assert stored.lease_expires_at is not None
    assert stored.lease_expires_at > database_time(leasing.LEASE - SECOND)


def test_a_stale_token_starts_renews_and_releases_nothing(register: Register) -> None:
    register()
    job = started()
    lapse(job)
    claim()
    before = Job.objects.values().get()
    assert leasing.start(job) is None
    assert leasing.renew({job.pk: job.lease_token}) == set()
    leasing.release(job)
    with transaction.atomic():
        assert leasing.lock_owned([job]) == set()
    assert Job.objects.values().get() == before


def test_a_finished_row_is_nobodys(register: Register) -> None:
    register()
    job = started()
    with transaction.atomic():
        assert leasing.lock_owned([job]) == {job.pk}
    Job.objects.update(
        status="completed", completed_at=database_time(), lease_token=None, lease_expires_at=None
    )
    with transaction.atomic():
        assert leasing.lock_owned([job]) == set()


def test_renewing_extends_only_what_is_ours(register: Register) -> None:
    register()
    mine, lost = started(), started()
    lapse(mine, lost)
    Job.objects.filter(pk=lost.pk).update(lease_token=1)
    leases = {job.pk: job.lease_token for job in (mine, lost)}
    assert leasing.renew(leases) == {mine.pk}
    assert Job.objects.get(pk=mine.pk).lease_expires_at > database_time(leasing.LEASE - SECOND)
    assert Job.objects.get(pk=lost.pk).lease_expires_at < database_time()


@pytest.mark.django_db(transaction=True)
def test_renewing_does_not_wait_for_a_row_whose_outcome_is_being_written(
    register: Register,
) -> None:
    register()
    locked, other = started(), started()
    leases = {job.pk: job.lease_token for job in (locked, other)}
    with transaction.atomic():
        assert leasing.lock_owned([locked]) == {locked.pk}
        assert in_thread(lambda: leasing.renew(leases)) == {other.pk}


def test_nothing_can_be_kept(register: Register) -> None:
    assert leasing.renew({}) == set()


# Handing back


def test_handing_back_loses_neither_the_attempt_nor_the_place(register: Register) -> None:
    register()
    job = suspect()
    leasing.release(job)
    stored = Job.objects.get()
    assert (stored.status, stored.attempts, stored.lease_token) == ("pending", 1, None)
    assert stored.run_at == job.run_at
    assert ids(claim()) == {job.pk}


def test_what_is_released_for_later_waits(register: Register) -> None:
    register()
    leasing.release(suspect(), after=60 * SECOND)
    assert claim() == []
    assert Job.objects.get().run_at > database_time(50 * SECOND)


# Workers that are known to be dead


def test_what_a_dead_worker_held_can_be_claimed_at_once(register: Register) -> None:
    register()
    add_many(2)
    held = claim(Claimer("dead:1:1"))
    other = add()
    claim(Claimer("alive:2:2"))
    assert leasing.expire(["dead:1:1", ""]) == 2
    again = claim()
    assert ids(again) == ids(held)
    assert all(job.is_suspect for job in again)
    assert Job.objects.get(pk=other.pk).worker == "alive:2:2"


def test_what_has_been_tried_before_waits_for_its_lease(register: Register) -> None:
    """A job that kills its process must not do so once a second."""
    register()
    row = started()
    Job.objects.update(worker="dead:1:1", attempts=2)
    assert leasing.expire(["dead:1:1"]) == 0
    assert Job.objects.get(pk=row.pk).lease_expires_at > database_time()


# Suspects


def test_a_suspect_that_is_handed_back_unstarted_is_one_still(register: Register) -> None:
    register()
    leasing.release(suspect())
    (job,) = claim()
    assert job.is_suspect


@pytest.mark.parametrize(
    ("outcome", "is_suspect"),
    [
        (Released(), True),
        (Done(), False),
        (Again(), False),
        (Retry("busy", after=timedelta(0)), False),
    ],
    ids=["released", "done", "again", "retry"],
)
def test_an_outcome_of_its_own_clears_a_suspect(
    register: Register, outcome: Outcome, is_suspect: bool
) -> None:
    """What was released at a stop has not shown that it is harmless."""
    register()
    row = leasing.start(suspect())
    assert row is not None
    with transaction.atomic():
        outcome_writer.write_outcomes({row.pk: row}, {row.pk: outcome})
    assert Job.objects.get().is_suspect is is_suspect


# Rows as jobs


def a_started_row(project: Project) -> Job:
    payload = {"list": [1, 2.5, {"deep": None}], "text": 'ü"\\'}
    return started(payload=payload, project=project, subject="inst_1", dedupe_key="k", priority=3)


def test_a_started_row_is_the_job_that_django_would_read(
    register: Register, project: Project
) -> None:
    register()
    row = a_started_row(project)
    stored = Job.objects.get()
    assert row == stored
    for field in Job._meta.concrete_fields:
        assert getattr(row, field.attname) == getattr(stored, field.attname), field.name
    assert row.project == project
    assert row.due == pytest.approx(stored.run_at.timestamp(), abs=1e-3)


def test_what_a_started_row_left_out_is_read_when_it_is_asked_for(
    register: Register, project: Project, django_assert_num_queries: Any
) -> None:
    register()
    row = a_started_row(project)
    with django_assert_num_queries(0):
        assert (row.attempts, row.subject, row.project_id) == (1, "inst_1", project.pk)
    with django_assert_num_queries(1):
        assert row.errors == []
    with django_assert_num_queries(1):
        assert row.run_at is not None
    row.refresh_from_db()


def test_a_started_row_can_be_saved(register: Register, project: Project) -> None:
    register()
    row = a_started_row(project)
    row.error = "seen"
    row.save(update_fields=["error"])
    assert Job.objects.values_list("error", "subject").get() == ("seen", "inst_1")


def test_an_empty_payload_is_each_jobs_own(register: Register) -> None:
    register()
    add_many(2)
    first, second = claim()
    first.payload["a"] = 1
    assert second.payload == {}
