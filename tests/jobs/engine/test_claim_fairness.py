"""Claims under a flood, and by many claimers at once."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from jobs.engine.claim import FAIR_EACH, Claimer
from jobs.models import Job, JobPriority
from tests.jobs.conftest import Register, in_thread, in_threads, on_own_connection, until
from tests.jobs.rows import SECOND, add, add_many, claim, ids
from tests.support.engine import database_time

pytestmark = pytest.mark.django_db

LOW, NORMAL, HIGH, CRITICAL = sorted(JobPriority.values)


def priorities(jobs: list[Job]) -> Counter[int]:
    return Counter(job.priority for job in jobs)


# A flood


def test_old_low_work_gets_through_a_flood_of_normal(register: Register) -> None:
    register(batch_size=8)
    for _ in range(20):
        add(priority=LOW, run_at=database_time(-90 * SECOND))
    add_many(100)
    claimer = Claimer("here:1")
    taken = [priorities(claim(claimer)) for _ in range(FAIR_EACH)]
    assert taken == [{NORMAL: 8}] * (FAIR_EACH - 1) + [{NORMAL: 6, LOW: 2}]


def test_low_work_gets_through_one_by_one(register: Register) -> None:
    register(batch_size=1)
    add(priority=LOW, run_at=database_time(-90 * SECOND))
    add_many(20)
    claimer = Claimer("here:1")
    taken = [claim(claimer)[0].priority for _ in range(FAIR_EACH)]
    assert taken == [NORMAL] * (FAIR_EACH - 1) + [LOW]


def test_normal_work_gets_through_floods_of_high_and_low(register: Register) -> None:
    register(batch_size=8, max_in_flight=1000)
    add_many(150, priority=HIGH)
    add_many(50, priority=LOW)
    add(run_at=database_time(-90 * SECOND))
    claimer = Claimer("here:1")
    taken = [priorities(claim(claimer)) for _ in range(2 * FAIR_EACH)]
    assert sum(taken, Counter())[NORMAL] == 1


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_high_work_waits_for_one_batch_of_normal_at_most(
    register: Register, batch_size: int
) -> None:
    """For none, unless the batch is a single row and it is the turn of the low ones."""
    register(batch_size=batch_size, max_in_flight=1000)
    add_many(150)
    claimer = Claimer("here:1")
    waited = []
    for _ in range(FAIR_EACH):
        add(priority=HIGH)
        before = priorities(claim(claimer))[HIGH]
        waited.append(0 if before else 1 if priorities(claim(claimer))[HIGH] else 2)
    assert max(waited) <= 1
    assert batch_size == 1 or waited == [0] * FAIR_EACH


@pytest.mark.parametrize("batch_size", [1, 2, 40])
def test_fairness_leaves_no_room_unused(register: Register, batch_size: int) -> None:
    """A batch that is not full tells a worker that the backlog is at its end."""
    register(batch_size=batch_size, max_in_flight=1000)
    add_many(batch_size * FAIR_EACH)
    claimer = Claimer("here:1")
    assert [len(claim(claimer)) for _ in range(FAIR_EACH)] == [batch_size] * FAIR_EACH


# Many claimers


@pytest.mark.django_db(transaction=True)
def test_the_cap_is_exact_with_any_number_of_claimers(register: Register) -> None:
    """Each waits its turn: what the one before it took must count."""
    register(batch_size=3, max_in_flight=10)
    add_many(30)
    with ThreadPoolExecutor(5) as pool, transaction.atomic():
        first = claim()
        others = [pool.submit(on_own_connection, claim) for _ in range(5)]
        until(lambda: waiting_for_their_turn() == 5 or any(each.done() for each in others))
    taken = first + [job for each in others for job in each.result(timeout=20)]
    assert len(taken) == len(ids(taken)) == 10


def waiting_for_their_turn() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        (count,) = cursor.fetchone()
    return int(count)


@pytest.mark.django_db(transaction=True)
def test_no_row_is_claimed_twice(register: Register) -> None:
    register(batch_size=7, max_in_flight=1000)
    rows = {job.pk for job in add_many(150)}
    begin = threading.Barrier(4)

    def work() -> list[Job]:
        claimer, taken = Claimer("a thread"), []
        begin.wait(timeout=20)
        while jobs := claimer.claim().jobs:
            taken += jobs
        return taken

    taken = [job for jobs in in_threads(work, 4) for job in jobs]
    assert len(taken) == 150
    assert ids(taken) == rows


@pytest.mark.django_db(transaction=True)
def test_a_locked_row_is_skipped_and_not_waited_for(register: Register) -> None:
    register()
    locked, free = add(), add()
    with transaction.atomic():
        Job.objects.select_for_update().get(pk=locked.pk)
        assert in_thread(lambda: ids(claim())) == {free.pk}
    assert ids(claim()) == {locked.pk}
