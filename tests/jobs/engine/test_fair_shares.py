"""Fair shares: keys take turns, none holds more than its share, slow ones hold one place."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import F

from core.clock import database_now
from jobs.engine.claim import Claimer
from jobs.engine.slow_keys import SlowKeys
from jobs.models import Job, SlowKey
from tests.jobs.conftest import Register
from tests.jobs.rows import SECOND, add, claim
from tests.support.engine import DrivenExecutor, database_time

pytestmark = pytest.mark.django_db
CAP = 16


@pytest.fixture(autouse=True)
def fair_type(register: Register) -> None:
    register(batch_size=8, max_in_flight=CAP, is_fair=True)


def add_of(key: str, count: int = 1, *, seconds: int = 10, attempts: int = 0) -> None:
    for number in range(count):
        moment = database_time(-(seconds * SECOND) + number * timedelta(milliseconds=1))
        job = add(fair_key=key, run_at=moment)
        if attempts:
            Job.objects.filter(pk=job.pk).update(attempts=attempts)


def keys(jobs: list[Job]) -> Counter[str]:
    return Counter(job.fair_key for job in jobs)


def hang(seconds: int = 5) -> None:
    """What is at work has been so for some time."""
    Job.objects.filter(status="processing").update(
        processed_at=F("processed_at") - timedelta(seconds=seconds)
    )


def drain() -> list[Job]:
    """Claim until nothing more is given out; nothing ends."""
    taken: list[Job] = []
    claimer = Claimer("test")
    for _ in range(40):
        taken += claimer.claim().jobs
    return taken


def test_keys_take_turns() -> None:
    add_of("1|a", 20, seconds=60)
    add_of("2|b", 3)
    add_of("3|c", 3)
    assert sorted(keys(claim()).values()) == [2, 3, 3]


def test_one_key_alone_takes_half_of_the_cap_and_leaves_the_rest() -> None:
    add_of("1|a", 40)
    assert len(drain()) == CAP // 2


def test_a_newcomer_is_served_at_once_beside_a_flood() -> None:
    add_of("1|a", 300, seconds=60)
    drain()
    add_of("2|b", seconds=0)
    assert keys(claim()) == {"2|b": 1}


def test_many_hosts_of_a_project_are_one_share() -> None:
    for number in range(40):
        add_of(f"1|host-{number}")
    assert len(drain()) == CAP // 2
    add_of("2|b", 3)
    assert keys(drain()) == {"2|b": 3}


def test_the_cap_holds_for_all_keys_together() -> None:
    for number in range(40):
        add_of(f"{number}|a", 2)
    assert len(drain()) == CAP


def test_first_attempts_go_before_repeated_ones() -> None:
    add_of("1|a", 8, seconds=60, attempts=3)
    add_of("2|b", 8)
    assert keys(claim()) == {"2|b": 8}


def test_a_key_that_hangs_gets_no_second_place_while_it_hangs() -> None:
    add_of("1|a", 4)
    assert len(claim()) == 4
    hang()
    add_of("1|a", 4)
    add_of("1|b", 2)
    assert keys(claim()) == {"1|b": 2}


def test_a_project_whose_new_hosts_all_hang_leaves_places_for_others() -> None:
    """Each of them is quick until it is known to hang."""
    for number in range(60):
        add_of(f"1|host-{number}", seconds=60)
    for _ in range(6):
        drain()
        hang()
    at_work = Job.objects.filter(status="processing").count()
    assert at_work <= CAP // 4 + CAP // 2
    add_of("2|b", seconds=0)
    assert keys(drain()) == {"2|b": 1}


def test_slow_keys_together_hold_a_fourth_of_the_cap() -> None:
    for number in range(12):
        add_of(f"1|host-{number}")
        SlowKey.objects.create(
            type="noop", fair_key=f"1|host-{number}", until=database_time(60 * SECOND)
        )
    assert len(drain()) == CAP // 4
    add_of("1|quick", 5)
    assert keys(claim()) == {"1|quick": 5}


def test_slow_keys_of_one_project_leave_a_place_for_another_slow_one() -> None:
    for name in [*(f"1|host-{number}" for number in range(12)), "2|b"]:
        SlowKey.objects.create(type="noop", fair_key=name, until=database_time(60 * SECOND))
    for number in range(12):
        add_of(f"1|host-{number}", seconds=60)
    drain()
    add_of("2|b", seconds=0)
    assert keys(drain()) == {"2|b": 1}


def test_rows_without_a_key_are_claimed() -> None:
    add_of("", 5)
    assert len(claim()) == 5


def test_keys_behind_a_long_flood_are_found_by_walking() -> None:
    add_of("1|a", 200, seconds=600)
    for number in range(100):
        add(fair_key=f"2|host-{number:03}", run_at=database_time(3600 * SECOND))
    add_of("9|late", 2)
    assert keys(drain())["9|late"] == 2


def test_a_lapsed_row_is_claimed_whatever_its_key_holds() -> None:
    add_of("1|a", 20)
    taken = drain()
    assert len(taken) == CAP // 2
    Job.objects.filter(pk=taken[0].pk).update(lease_expires_at=database_now() - SECOND)
    assert [job.pk for job in claim()] == [taken[0].pk]


# Slow keys


def test_a_slow_call_marks_its_key_and_a_quick_one_clears_it() -> None:
    known = SlowKeys()
    known.note([("noop", "1|a", 5.0), ("noop", "2|b", 0.1)])
    assert list(SlowKey.objects.values_list("fair_key", flat=True)) == ["1|a"]
    known.note([("noop", "1|a", 0.1)])
    assert not SlowKey.objects.exists()


def test_a_key_that_was_slow_and_quick_at_once_is_slow() -> None:
    known = SlowKeys()
    known.note([("noop", "1|a", 5.0), ("noop", "1|a", 0.1)])
    assert SlowKey.objects.exists()


def test_another_process_clears_a_key_too() -> None:
    SlowKeys().note([("noop", "1|a", 5.0)])
    SlowKeys().note([("noop", "1|a", 0.1)])
    assert not SlowKey.objects.exists()


# A process


def test_a_process_uses_its_last_free_threads(register: Register, cluster: None) -> None:
    """With a batch free in no process nobody would be served, while places are free."""
    register("noop", batch_size=8, max_in_flight=CAP, is_fair=True)
    for number in range(12):
        add_of(f"{number}|a")
    executor = DrivenExecutor(threads=10)
    assert [len(batch) for batch in executor.claim().batches] == [8]
    assert [len(batch) for batch in executor.claim().batches] == [2]
    assert executor.claim().batches == ()
