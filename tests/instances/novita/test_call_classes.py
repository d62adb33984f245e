"""Classes of calls with reserves, and turns between projects, by a clock of their own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from instances.models import UpstreamGate
from instances.novita import limiter, turns
from instances.novita.call_classes import CallClass, left_by
from instances.novita.limiter import Permit
from tests.instances.conftest import Clock, Limit

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
END, WATCH, CREATE, OTHER = CallClass
# Projects.
LOUD, HONEST, THIRD = 1, 2, 3


def drain(call_class: CallClass) -> int:
    return limiter.reserve(10_000, call_class, at_least=1).calls


def create(project_id: int, calls: int = 1) -> Permit:
    return limiter.reserve(calls, CREATE, project_id=project_id, is_create=True)


# Reserves


def test_each_class_leaves_the_reserves_of_those_above_it(clock: Clock, limit: Limit) -> None:
    assert [drain(each) for each in (OTHER, CREATE, WATCH, END)] == [34, 10, 10, 6]


@pytest.mark.parametrize("above", [END, WATCH, CREATE])
def test_a_class_that_takes_all_it_may_keeps_none_above_it_waiting(
    clock: Clock, limit: Limit, above: CallClass
) -> None:
    below = list(CallClass)[list(CallClass).index(above) + 1]
    for _ in range(30):
        drain(below)
        assert limiter.reserve(2, above).is_granted
        clock.pass_(SECOND)


@pytest.mark.parametrize("rate", [6, 7, 10, 19, 30, 34, 50, 300, 60_000])
@pytest.mark.parametrize("call_class", list(CallClass))
def test_whoever_waits_as_long_as_told_is_served_in_the_end(
    clock: Clock, limit: Limit, rate: int, call_class: CallClass
) -> None:
    limit(rate)
    drain(END)
    for _ in range(30):
        permit = limiter.reserve(6, call_class)
        if permit.is_granted:
            return
        clock.pass_(permit.wait)
    pytest.fail(f"{call_class} is never granted at {rate} a minute")


def test_the_reserves_leave_something_to_everybody() -> None:
    for capacity in range(3, 1200):
        left = [left_by(each, capacity) for each in CallClass]
        assert left == sorted(left)
        assert left[-1] < capacity


def test_ends_without_end_do_not_keep_the_watch_from_seeing_them(
    clock: Clock, limit: Limit
) -> None:
    """A thousand stops at once: each needs two calls, and is done when it is seen."""
    seen = 0
    for _ in range(1200):
        while limiter.reserve(2, END).is_granted:
            pass
        seen += limiter.reserve(8, WATCH, at_least=2).calls
        clock.pass_(SECOND / 20)
    # A minute: of 240 calls, some for the watch.
    assert 30 <= seen <= 60


# Turns


def test_a_project_that_waits_is_served_before_one_that_asks_all_the_time(
    clock: Clock, limit: Limit
) -> None:
    drain(CREATE)
    assert not create(HONEST, 2).is_granted
    served = 0
    for _ in range(20):
        clock.pass_(SECOND / 10)
        served += create(LOUD).calls
        if create(HONEST, 2).is_granted:
            break
    else:
        pytest.fail("never served")
    assert served == 0


def test_projects_that_wait_take_turns(clock: Clock, limit: Limit) -> None:
    drain(CREATE)
    served: list[int] = []
    for _ in range(120):
        clock.pass_(SECOND / 20)
        served += [each for each in (LOUD, HONEST, THIRD) if create(each).is_granted]
    assert len(served) >= 18
    assert all(set(served[n : n + 3]) == {LOUD, HONEST, THIRD} for n in range(0, 18, 3))


def test_a_burst_leaves_what_others_wait_for(clock: Clock, limit: Limit) -> None:
    drain(CREATE)
    create(HONEST, 4)
    clock.pass_(2 * SECOND)
    permit = limiter.reserve(50, CREATE, at_least=1, project_id=LOUD)
    assert permit.calls == 4
    assert create(HONEST, 4).is_granted


def test_a_project_that_does_not_come_back_holds_nobody_up_for_long(
    clock: Clock, limit: Limit
) -> None:
    """Its worker died: its place expires."""
    drain(CREATE)
    wait = create(HONEST, 44).wait
    clock.pass_(wait)
    assert not create(LOUD, 6).is_granted
    clock.pass_(turns.LATE + SECOND)
    assert create(LOUD, 44).is_granted


def test_without_a_wait_nothing_is_remembered(clock: Clock, limit: Limit) -> None:
    create(LOUD)
    create(HONEST)
    assert UpstreamGate.objects.get().turns == {"create": {}}


def test_places_of_projects_that_left_are_forgotten(clock: Clock, limit: Limit) -> None:
    drain(CREATE)
    for project in range(100, 150):
        create(project)
    clock.pass_(timedelta(minutes=2))
    drain(CREATE)
    create(HONEST)
    assert list(UpstreamGate.objects.get().turns["create"]) == [str(HONEST)]


def test_look_ups_of_unknown_things_take_nothing_from_creates(clock: Clock, limit: Limit) -> None:
    """However many projects ask for them."""
    for _ in range(60):
        for project in range(100, 120):
            limiter.reserve(2, OTHER, project_id=project, is_create=True)
        assert create(HONEST, 2).is_granted
        clock.pass_(SECOND)
