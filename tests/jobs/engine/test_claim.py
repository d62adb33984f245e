"""Which rows a claim takes: urgency, rooms and caps, pauses, rows of dead workers."""

from __future__ import annotations

from collections import Counter

import pytest

from jobs import registry
from jobs.engine import leasing
from jobs.engine.claim import Claimer, Lease, has_blocked_rows, seconds_to_next_due
from jobs.models import Job, JobPriority, PausedType
from tests.engine import database_time
from tests.jobs.conftest import Register
from tests.jobs.rows import SECOND, add, add_many, claim, ids, lapse, pairs, started

pytestmark = pytest.mark.django_db

LOW, NORMAL, HIGH, CRITICAL = sorted(JobPriority.values)


def priorities(leases: list[Lease]) -> Counter[int]:
    return Counter(lease.priority for lease in leases)


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
    taken = [Counter(lease.type for lease in claim()) for _ in range(4)]
    assert taken == [{"a": 2, "b": 1}, {"a": 1, "b": 1}, {"b": 1}, {}]


def test_a_type_at_its_cap_waits_until_a_row_ends(register: Register) -> None:
    register(max_in_flight=2)
    add_many(3)
    first = claim()
    assert len(first) == 2
    assert claim() == []
    leasing.release(pairs(first[:1]))
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
    assert (job.status, job.lease_token, job.worker) == ("processing", first.token, "there:2:3")
    assert job.lease_expires_at is not None
    assert before < job.lease_expires_at - leasing.LEASE < database_time()
    lapse(job)
    (second,) = claim()
    assert second.token != first.token


def test_a_worker_on_a_host_of_the_longest_name_can_claim(register: Register) -> None:
    register()
    add()
    name = f"{'h' * 64}:4194304:{2**32}"
    assert len(claim(Claimer(name))) == 1
    assert Job.objects.get().worker == name


def test_a_lease_tells_what_becomes_of_the_row(register: Register) -> None:
    """Its attempts are counted when work starts; the claim takes none."""
    register()
    job = add(priority=HIGH, run_at=database_time(-60 * SECOND))
    Job.objects.update(attempts=3)
    (lease,) = claim()
    assert (lease.type, lease.priority, lease.is_suspect) == ("noop", HIGH, False)
    assert (lease.attempts, lease.max_attempts) == (3, 5)
    assert lease.due == pytest.approx(job.run_at.timestamp(), abs=1e-3)
    assert Job.objects.get().attempts == 3


@pytest.mark.parametrize(
    ("attempts", "is_suspect", "is_exhausted", "is_last_chance"),
    [
        (3, True, False, False),
        (4, True, False, True),
        (5, True, True, False),
        (4, False, False, False),
        (5, False, True, False),
    ],
)
def test_only_what_was_with_a_dead_worker_has_a_last_chance(
    attempts: int, is_suspect: bool, is_exhausted: bool, is_last_chance: bool
) -> None:
    lease = Lease(1, 1, "noop", NORMAL, 0.0, is_suspect, is_suspect, attempts, max_attempts=5)
    assert (lease.is_exhausted, lease.is_last_chance) == (is_exhausted, is_last_chance)


# Rows of dead workers


def test_a_lapsed_row_is_claimed_beside_what_is_due_and_is_suspect(register: Register) -> None:
    register(batch_size=1)
    orphan = started()
    lapse(orphan)
    urgent = add(priority=CRITICAL)
    suspects = {lease.job_id: lease.is_suspect for lease in claim()}
    assert suspects == {orphan.pk: True, urgent.pk: False}


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
    assert seconds_to_next_due() is None
    pause.delete()
    assert ids(claim(claimer)) == {orphan.pk, due.pk}


def test_rows_that_this_process_cannot_run_are_left_to_others(register: Register) -> None:
    register("newer")
    orphan, due = started("newer"), add("newer")
    lapse(orphan)
    register("known")
    known = add("known")
    job_type = registry.get("known")
    assert {lease.job_id for lease in Claimer("here:1").claim([job_type])} == {known.pk}
    assert ids(claim()) == {orphan.pk, due.pk}


# What a pusher waits for


def test_the_next_due_time_ignores_what_is_due_already(register: Register) -> None:
    register()
    assert seconds_to_next_due() is None
    add()
    assert seconds_to_next_due() is None
    add(run_at=database_time(90 * SECOND), priority=LOW)
    add(run_at=database_time(50 * SECOND))
    seconds = seconds_to_next_due()
    assert seconds is not None
    assert 40 < seconds <= 50


def test_a_type_at_its_cap_is_known_to_block(register: Register) -> None:
    register(max_in_flight=2)
    started()
    assert not has_blocked_rows()
    started()
    assert has_blocked_rows()
