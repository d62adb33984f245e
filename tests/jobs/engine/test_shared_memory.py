"""What the processes of a cluster share."""

from __future__ import annotations

import os

import pytest

from jobs.engine import shared_memory
from tests.conftest import MonotonicClock
from tests.jobs.conftest import in_a_child

# Newer Pythons warn of forks beside threads; these children only touch what is shared.
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
pytestmark = [pytest.mark.usefixtures("cluster"), FORKS]


@pytest.fixture
def clock(monotonic: MonotonicClock) -> MonotonicClock:
    shared_memory.begin()
    return monotonic


def test_all_are_told_to_stop() -> None:
    assert not shared_memory.is_stopping()
    in_a_child(lambda: shared_memory.set_stopping(True))
    assert shared_memory.is_stopping()


# Signs of life


def test_the_command_is_known_to_all() -> None:
    assert shared_memory.command_pid() == os.getpid()


def test_a_pusher_that_has_not_been_seen_yet_has_time(clock: MonotonicClock) -> None:
    clock.now += 3
    assert shared_memory.seconds_since_pusher() == 3
    assert shared_memory.pusher_pid() == 0


def test_a_pusher_tells_its_pid_and_that_it_lives(clock: MonotonicClock) -> None:
    clock.now += 60
    shared_memory.pusher_is_alive()
    assert shared_memory.pusher_pid() == os.getpid()
    clock.now += 2
    assert shared_memory.seconds_since_pusher() == 2


def test_a_pusher_that_was_ended_is_not_ended_again(clock: MonotonicClock) -> None:
    """Its pid is free for any process of the machine; and 0 would be the killer's own group."""
    shared_memory.pusher_is_alive()
    clock.now += 60
    shared_memory.pusher_is_awaited()
    assert shared_memory.pusher_pid() == 0
    assert shared_memory.seconds_since_pusher() == 0


def test_a_wake_waits_until_it_is_taken_or_a_worker_claims(clock: MonotonicClock) -> None:
    assert shared_memory.seconds_waited() == 0
    shared_memory.wake_is_waiting()
    clock.now += 4
    shared_memory.wake_is_waiting()
    assert shared_memory.seconds_waited() == 4
    shared_memory.worker_is_active()
    clock.now += 1
    assert shared_memory.seconds_waited() == 1
    shared_memory.wake_is_taken()
    assert shared_memory.seconds_waited() == 0


def test_no_worker_is_blamed_for_a_wake_while_one_works_alone(clock: MonotonicClock) -> None:
    shared_memory.wake_is_waiting()
    shared_memory.work_alone(30)
    clock.now += 20
    assert shared_memory.seconds_waited() == 0
    clock.now += 11
    assert shared_memory.seconds_waited() == 31
    shared_memory.pusher_is_awaited()
    assert shared_memory.seconds_waited() == 0


def test_a_backlog_is_remembered_for_a_second(clock: MonotonicClock) -> None:
    assert not shared_memory.has_backlog()
    shared_memory.set_backlog()
    assert shared_memory.has_backlog()
    clock.now += shared_memory.BACKLOG_SECONDS
    assert not shared_memory.has_backlog()


def test_one_worker_at_a_time_works_alone(clock: MonotonicClock) -> None:
    assert shared_memory.may_work_alone(30)
    assert not shared_memory.may_work_alone(30)
    shared_memory.work_alone(0)
    assert shared_memory.may_work_alone(30)
    clock.now += 31
    assert shared_memory.may_work_alone(30)


def test_a_new_cluster_knows_nothing_of_what_the_last_one_was_at(clock: MonotonicClock) -> None:
    shared_memory.work_alone(30)
    shared_memory.set_backlog()
    shared_memory.begin()
    assert shared_memory.may_work_alone(30)
    assert not shared_memory.has_backlog()


def test_each_worker_of_a_sentinel_is_known_by_its_own_word() -> None:
    shared_memory.begin()
    in_a_child(lambda: shared_memory.worker_is_here(4001, 12.5))
    in_a_child(lambda: shared_memory.worker_is_here(4002, 13.5))
    assert shared_memory.workers_seen() == [(4001, 12.5), (4002, 13.5)]
    shared_memory.begin()
    assert shared_memory.workers_seen() == []
