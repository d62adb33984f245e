"""Claiming, fencing and enqueueing against Postgres."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from jobs import leasing, queue
from jobs.claim import Claimer, Lease
from jobs.errors import UnknownJobType
from jobs.models import Job, JobPriority, JobStatus
from tests.engine import database_time
from tests.jobs.conftest import Register, in_thread

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def add(type_: str = "noop", **fields: Any) -> Job:
    return queue.enqueue(type_, payload={}, **fields)


def claim(**options: Any) -> list[Lease]:
    return Claimer("here:1").claim(**options)


def claimed_ids(**options: Any) -> set[int]:
    return {lease.job_id for lease in claim(**options)}


def lapse(job: Job, ago: timedelta = SECOND) -> None:
    Job.objects.filter(pk=job.pk).update(lease_expires_at=database_time(-ago))


def started(**fields: Any) -> Job:
    job = add(**fields)
    (lease,) = (lease for lease in claim() if lease.job_id == job.pk)
    (row,) = leasing.start([(lease.job_id, lease.token)])
    return row


# Claim


def test_the_highest_priority_is_claimed_first(register: Register) -> None:
    register()
    low, urgent, normal = (
        add(priority=JobPriority.LOW),
        add(priority=JobPriority.CRITICAL),
        add(priority=JobPriority.NORMAL),
    )
    assert [claimed_ids(limit=1) for _ in range(3)] == [{urgent.pk}, {normal.pk}, {low.pk}]


def test_within_a_priority_the_longest_due_is_claimed_first(register: Register) -> None:
    register()
    late, later, latest = (add(run_at=database_time(-n * SECOND)) for n in (30, 20, 10))
    assert [claimed_ids(limit=1) for _ in range(3)] == [{late.pk}, {later.pk}, {latest.pk}]


def test_a_lapsed_row_goes_before_everything_that_is_due(register: Register) -> None:
    register()
    orphan = started()
    lapse(orphan)
    add(priority=JobPriority.CRITICAL)
    (lease,) = claim(limit=1)
    assert (lease.job_id, lease.is_suspect) == (orphan.pk, True)


def test_what_is_not_due_and_what_is_leased_stays(register: Register) -> None:
    register()
    add(run_at=database_time(60 * SECOND))
    started()
    assert claim() == []


def test_a_type_hands_out_one_batch_a_claim(register: Register) -> None:
    register(batch_size=2)
    for _ in range(3):
        add()
    assert [len(claim()) for _ in range(3)] == [2, 1, 0]


def test_a_type_at_its_cap_waits_until_a_row_ends(register: Register) -> None:
    register(max_in_flight=2)
    rows = [add() for _ in range(3)]
    first = claim()
    assert len(first) == 2
    assert claim() == []
    leasing.hand_back([(lease.job_id, lease.token) for lease in first[:1]])
    assert len(claim()) == 1
    assert Job.objects.filter(pk__in=[row.pk for row in rows], status="processing").count() == 2


def test_the_cap_holds_over_all_priorities_together(register: Register) -> None:
    register(max_in_flight=2)
    for priority in JobPriority.values:
        add(priority=priority)
    assert len(claim()) == 2
    assert set(Job.objects.filter(status="processing").values_list("priority", flat=True)) == {4, 3}


def test_a_type_at_its_cap_does_not_hold_back_another(register: Register) -> None:
    register("hanging", max_in_flight=1)
    register("quick")
    add("hanging", priority=JobPriority.CRITICAL)
    assert len(claim()) == 1
    add("hanging", priority=JobPriority.CRITICAL)
    quick = add("quick", priority=JobPriority.LOW)
    assert claimed_ids() == {quick.pk}


def test_a_claim_writes_a_new_token_a_lease_and_its_worker(register: Register) -> None:
    register()
    job = add()
    before = database_time()
    (first,) = claim()
    job.refresh_from_db()
    assert (job.status, job.lease_token, job.worker) == ("processing", first.token, "here:1")
    assert job.lease_expires_at is not None
    assert before < job.lease_expires_at - leasing.LEASE < database_time()
    lapse(job)
    (second,) = claim()
    assert second.token > first.token


def test_a_claim_counts_no_attempt_and_tells_what_is_exhausted(register: Register) -> None:
    register()
    job = add()
    Job.objects.update(attempts=job.max_attempts)
    (lease,) = claim()
    assert (lease.is_suspect, lease.is_exhausted) == (False, True)
    assert Job.objects.get().attempts == job.max_attempts


@pytest.mark.django_db(transaction=True)
def test_two_claimers_share_the_rows_without_waiting(register: Register) -> None:
    register(batch_size=2)
    rows = {add().pk for _ in range(4)}
    with transaction.atomic():
        mine = claimed_ids()
        others = in_thread(claimed_ids)
    assert len(mine) == len(others) == 2
    assert mine | others == rows


# Fencing


def test_starting_counts_the_attempt_and_renews_the_lease(register: Register) -> None:
    register()
    job = add()
    (lease,) = claim()
    Job.objects.update(lease_expires_at=database_time(SECOND))
    (row,) = leasing.start([(lease.job_id, lease.token)])
    assert row.pk == job.pk
    assert row.attempts == 1
    assert row.processed_at is not None
    assert row.lease_expires_at is not None
    assert row.lease_expires_at > database_time(leasing.LEASE - SECOND)


def test_a_stale_token_starts_renews_and_hands_back_nothing(register: Register) -> None:
    register()
    job = started()
    lapse(job)
    claim()
    before = Job.objects.values().get()
    stale = [(job.pk, job.lease_token or 0)]
    assert leasing.start(stale) == []
    assert leasing.renew(dict(stale)) == set()
    leasing.hand_back(stale)
    with transaction.atomic():
        assert leasing.still_ours([job]) == set()
    assert Job.objects.values().get() == before


def test_a_finished_row_is_nobodys(register: Register) -> None:
    register()
    job = started()
    with transaction.atomic():
        assert leasing.still_ours([job]) == {job.pk}
    Job.objects.update(
        status="completed", completed_at=database_time(), lease_token=None, lease_expires_at=None
    )
    with transaction.atomic():
        assert leasing.still_ours([job]) == set()


def test_renewing_extends_only_what_is_ours(register: Register) -> None:
    register()
    mine, lost = started(), started()
    lapse(mine)
    lapse(lost)
    Job.objects.filter(pk=lost.pk).update(lease_token=1)
    leases = {job.pk: job.lease_token or 0 for job in (mine, lost)}
    assert leasing.renew(leases) == {mine.pk}
    assert Job.objects.get(pk=mine.pk).lease_expires_at > database_time(leasing.LEASE - SECOND)
    assert Job.objects.get(pk=lost.pk).lease_expires_at < database_time()


def test_handing_back_loses_no_attempt(register: Register) -> None:
    register()
    add()
    (lease,) = claim()
    leasing.hand_back([(lease.job_id, lease.token)])
    job = Job.objects.get()
    assert (job.status, job.attempts, job.lease_token) == ("pending", 0, None)
    assert len(claim()) == 1


# Enqueue


def test_only_registered_types_can_be_enqueued(register: Register) -> None:
    register()
    with pytest.raises(UnknownJobType, match="unheard"):
        add("unheard")


def test_work_that_waits_already_is_not_added_twice(register: Register) -> None:
    register()
    assert add(dedupe_key="k").pk == add(dedupe_key="k").pk
    assert Job.objects.get().rerun is False


def test_work_asked_for_while_it_is_under_way_runs_once_more(register: Register) -> None:
    register()
    job = started(dedupe_key="k")
    assert add(dedupe_key="k").pk == job.pk
    assert Job.objects.get().rerun is True


def test_ended_work_can_be_asked_for_anew(register: Register) -> None:
    register()
    done = add(dedupe_key="k")
    Job.objects.update(status="completed", completed_at=database_time())
    assert add(dedupe_key="k").pk != done.pk


@pytest.mark.django_db(transaction=True)
def test_clusters_are_woken_by_the_commit_and_not_by_a_rollback(register: Register) -> None:
    register()
    parameters = connection.get_connection_params()
    keys = ("host", "port", "user", "password", "dbname")
    options = {key: parameters[key] for key in keys if parameters.get(key)}
    with psycopg.connect(**options, autocommit=True) as listener:
        listener.execute(f"LISTEN {queue.CHANNEL}")
        with transaction.atomic():
            add()
            transaction.set_rollback(True)
        with transaction.atomic():
            add()
            add()
            listener.execute("SELECT 1")
            assert list(listener.notifies(timeout=0)) == []
        heard = list(listener.notifies(timeout=5, stop_after=1))
        listener.execute("SELECT 1")
        heard += list(listener.notifies(timeout=0))
    assert [notice.channel for notice in heard] == [queue.CHANNEL]


def test_the_next_due_time_ignores_what_is_due_already(register: Register) -> None:
    register()
    assert leasing.seconds_to_next_due() is None
    add()
    assert leasing.seconds_to_next_due() is None
    add(run_at=database_time(90 * SECOND))
    add(run_at=database_time(50 * SECOND))
    seconds = leasing.seconds_to_next_due()
    assert seconds is not None
    assert 40 < seconds <= 50


def test_a_type_at_its_cap_is_known_to_block(register: Register) -> None:
    register(max_in_flight=2)
    started()
    assert not leasing.has_blocked_rows()
    started()
    assert leasing.has_blocked_rows()


def test_each_recurring_type_has_one_row_however_often_clusters_start(register: Register) -> None:
    register("tick", is_recurring=True)
    register("tock", is_recurring=True)
    register("once")
    queue.ensure_recurring()
    queue.ensure_recurring()
    assert sorted(Job.objects.values_list("type", "priority")) == [("tick", 1), ("tock", 1)]


# What Postgres refuses


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        # What is no status breaks the rule of ended rows as well, and Postgres names that first.
        ("job_status_known|job_completed_at_when_ended", {"status": "lost"}),
        ("job_priority_known", {"priority": 5}),
        ("job_lease_while_processing", {"status": "processing"}),
        ("job_lease_while_processing", {"lease_token": 1}),
        ("job_completed_at_when_ended", {"status": JobStatus.FAILED}),
        ("job_live_dedupe_key", {"dedupe_key": "taken"}),
    ],
)
def test_illegal_rows_are_refused(
    register: Register, constraint: str, fields: dict[str, Any]
) -> None:
    register()
    add(dedupe_key="taken")
    job = add()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**fields)


def test_a_pending_row_has_not_ended(register: Register) -> None:
    register()
    add()
    with pytest.raises(IntegrityError, match="job_completed_at_when_ended"), transaction.atomic():
        Job.objects.update(completed_at=database_time())
