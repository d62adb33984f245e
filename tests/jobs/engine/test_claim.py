"""Which rows a claim takes: urgency, rooms and caps, pauses, rows of dead workers."""

from __future__ import annotations

from collections import Counter

import pytest

from jobs.engine import leasing
from jobs.engine.claim import Claimer, look_ahead
from jobs.handler import get_type
from jobs.models import Job, JobPriority, PausedType
from tests.jobs.conftest import Register
from tests.jobs.rows import SECOND, add, add_many, claim, ids, lapse, started, suspect
from tests.support.engine import database_time

pytestmark = pytest.mark.django_db

LOW, NORMAL, HIGH, CRITICAL = sorted(JobPriority.values)


def priorities(jobs: list[Job]) -> Counter[int]:
    return Counter(job.priority for job in jobs)


# Order and room


def test_the_highest_priority_is_claimed_first(register: Register) -> None:
    register(batch_size=1)
    jobs = {priority: add(priority=priority) for priority in (LOW, CRITICAL, NORMAL)}
    assert [ids(claim()) for _ in range(3)] == [{jobs[p].pk} for p in (CRITICAL, NORMAL, LOW)]


def test_within_a_priority_the_longest_due_is_claimed_first(register: Register) -> None:
    register(batch_size=1)
    later, late, latest = (add(run_at=database_time(-n * SECOND)) for n in (20, 30, 10))
    assert [ids(claim()) for _ in range(3)] == [{late.pk}, {later.pk}, {latest.pk}]


def test_what_is_not_due_and_what_is_leased_stays(register: Register) -> None:
    register()
    add(run_at=database_time(60 * SECOND))
    started()
    assert claim() == []


def test_each_type_hands_out_one_batch_a_claim(register: Register) -> None:
    register("a", batch_size=2)
    register("b", batch_size=1)
    for type_ in ("a", "b"):
        add_many(3, type_)
    taken = [Counter(job.type for job in claim()) for _ in range(4)]
    assert taken == [{"a": 2, "b": 1}, {"a": 1, "b": 1}, {"b": 1}, {}]


def test_a_type_at_its_cap_waits_until_a_row_ends(register: Register) -> None:
    register(max_in_flight=2)
    add_many(3)
    first = claim()
    assert len(first) == 2
    assert claim() == []
    leasing.release(first[0])
    assert len(claim()) == 1
    assert Job.objects.filter(status="processing").count() == 2


def test_the_cap_holds_over_all_priorities_together(register: Register) -> None:
    register(max_in_flight=2)
    for priority in JobPriority.values:
        add(priority=priority)
    assert priorities(claim()) == {CRITICAL: 1, HIGH: 1}


def test_a_type_at_its_cap_does_not_hold_back_another(register: Register) -> None:
    register("hanging", max_in_flight=1)
    register("quick")
    add_many(2, "hanging", priority=CRITICAL)
    assert len(claim()) == 1
    quick = add("quick", priority=LOW)
    assert ids(claim()) == {quick.pk}


def test_a_claim_writes_a_new_token_a_lease_and_its_worker(register: Register) -> None:
    register()
    job = add()
    before = database_time()
    (first,) = claim(Claimer("there:2:3"))
    job.refresh_from_db()
    assert (job.status, job.worker) == ("processing", "there:2:3")
    assert job.lease_token == first.lease_token
    assert job.lease_expires_at is not None
    assert before < job.lease_expires_at - leasing.LEASE < database_time()
    lapse(job)
    (second,) = claim()
    assert second.lease_token not in (None, first.lease_token)


def test_a_worker_on_a_host_of_the_longest_name_can_claim(register: Register) -> None:
    register()
    add()
    name = f"{'h' * 64}:4194304:{2**32}"
    assert len(claim(Claimer(name))) == 1
    assert Job.objects.get().worker == name


def test_a_claim_tells_whether_more_may_be_due(register: Register) -> None:
    """After a full batch another claim takes more; after a full cap it does not."""
    register(batch_size=2, max_in_flight=5)
    add_many(6)
    claimer = Claimer("here:1")
    claims = [claimer.claim() for _ in range(4)]
    assert [len(each.jobs) for each in claims] == [2, 2, 1, 0]
    assert [len(each.full) for each in claims] == [1, 1, 0, 0]
    assert [each.is_cut for each in claims] == [True, True, True, False]


# Rows of dead workers


def test_a_lapsed_row_is_claimed_beside_what_is_due_and_is_suspect(register: Register) -> None:
    register(batch_size=1)
    orphan = started()
    lapse(orphan)
    urgent = add(priority=CRITICAL)
    claimed = Claimer("here:1").claim()
    assert {job.pk: job.is_suspect for job in claimed.jobs} == {orphan.pk: True, urgent.pk: False}
    assert claimed.lapsed == 1


def test_a_suspect_is_in_no_batch_with_others_and_comes_after_them(register: Register) -> None:
    register("a")
    register("b")
    orphan, returned = started("a", priority=CRITICAL), started("b")
    lapse(orphan, returned)
    claimed = claim()
    leasing.release(next(job for job in claimed if job.pk == returned.pk))
    lapse(orphan)
    b, a, other = add("b", priority=HIGH), add("a"), add("a", priority=LOW)
    batches = Claimer("here:1").claim().batches
    found = [[job.pk for job in batch] for batch in batches]
    assert found == [[b.pk], [a.pk, other.pk], [orphan.pk], [returned.pk]]


def test_a_suspect_that_was_handed_back_has_not_lapsed_again(register: Register) -> None:
    register()
    leasing.release(suspect())
    claimed = Claimer("here:1").claim()
    assert ([job.is_suspect for job in claimed.jobs], claimed.lapsed) == ([True], 0)


def test_the_attempt_of_a_suspect_is_not_counted_by_its_claim(register: Register) -> None:
    register()
    job = suspect()
    assert (job.attempts, Job.objects.get().attempts) == (1, 1)


def test_lapsed_rows_keep_the_slots_that_they_hold(register: Register) -> None:
    """The cap neither delays them nor lets due rows in beside them."""
    register(batch_size=2, max_in_flight=2)
    orphans = [started(), started()]
    add()
    lapse(*orphans)
    assert ids(claim()) == {job.pk for job in orphans}


def test_a_lease_that_has_not_lapsed_is_nobody_elses(register: Register) -> None:
    register()
    lapse(started(), ago=-SECOND)
    assert claim() == []


# Pauses, and types of other releases


def test_nothing_of_a_paused_type_is_claimed_until_it_is_resumed(register: Register) -> None:
    register("paused")
    register("other")
    orphan, due, other = started("paused"), add("paused"), add("other")
    lapse(orphan)
    pause = PausedType.objects.create(type="paused", paused_by="ada")
    claimer = Claimer("here:1")
    assert ids(claim(claimer)) == {other.pk}
    assert claim(claimer) == []
    add("paused", run_at=database_time(5 * SECOND))
    seconds = look_ahead().seconds
    assert seconds is not None
    assert seconds > 10
    pause.delete()
    assert ids(claim(claimer)) == {orphan.pk, due.pk}


def test_rows_that_this_process_cannot_run_are_left_to_others(register: Register) -> None:
    register("newer")
    orphan, due = started("newer"), add("newer")
    lapse(orphan)
    register("known")
    known = add("known")
    job_type = get_type("known")
    assert ids(Claimer("here:1").claim([job_type]).jobs) == {known.pk}
    assert ids(claim()) == {orphan.pk, due.pk}


# What a broker waits for


def test_the_next_due_time_ignores_what_was_due_at_the_poll_before(register: Register) -> None:
    register()
    before = look_ahead()
    assert before.seconds is None
    add()
    found = look_ahead(before.at)
    assert found.seconds is not None
    assert found.seconds <= 0
    assert look_ahead(found.at).seconds is None
    add(run_at=database_time(90 * SECOND), priority=LOW)
    add(run_at=database_time(50 * SECOND))
    seconds = look_ahead(found.at).seconds
    assert seconds is not None
    assert 40 < seconds <= 50


def test_a_lease_that_lapses_is_waited_for(register: Register) -> None:
    register()
    add(run_at=database_time(90 * SECOND))
    job = started()
    seconds = look_ahead().seconds
    assert seconds is not None
    assert 10 < seconds <= 15
    lapse(job, ago=-3 * SECOND)
    seconds = look_ahead().seconds
    assert seconds is not None
    assert 0 < seconds <= 3


def test_a_type_at_its_cap_is_known(register: Register) -> None:
    register(max_in_flight=2)
    started()
    assert not look_ahead().is_at_cap
    started()
    assert look_ahead().is_at_cap
