"""What the processes of a cluster share."""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace

import pytest

from jobs import cluster_state
from jobs.cluster_state import Flag, Word
from tests.jobs.conftest import close

# Newer Pythons warn of forks beside threads; these children only touch what is shared.
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
pytestmark = [pytest.mark.usefixtures("cluster"), FORKS]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The machine's clock, which stands still until the test sets it."""
    clock = SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(cluster_state, "time", clock)
    cluster_state.begin()
    return clock


def in_a_child(work: object) -> None:
    """Do it in a process that was forked from this one, as the cluster's are."""
    pid = os.fork()
    if pid == 0:
        try:
            work()  # type: ignore[operator]
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


# What stands in for multiprocessing's


def test_a_flag_is_seen_by_every_process() -> None:
    flag = Flag()
    assert not flag.is_set()
    assert not flag.wait(0)
    in_a_child(flag.set)
    assert flag.is_set()
    assert flag.wait(0)


def test_whoever_waits_for_a_flag_goes_on_when_it_is_set() -> None:
    flag = Flag()
    seen: list[bool] = []
    waiter = threading.Thread(target=lambda: seen.append(flag.wait(20)))
    waiter.start()
    flag.set()
    waiter.join(timeout=20)
    assert seen == [True]


@pytest.mark.parametrize(("typecode", "value"), [("f", -1), ("i", 5), ("d", 0.25)])
def test_a_word_is_seen_by_every_process(typecode: str, value: float) -> None:
    word = Word(typecode, value)
    assert word.value == value

    def change() -> None:
        with word.get_lock():
            word.value = -2

    in_a_child(change)
    assert word.value == -2


def test_a_word_has_no_lock_that_a_dead_process_could_hold() -> None:
    word = Word("i", 0)
    in_a_child(word.get_lock().__enter__)
    with word.get_lock(), word.get_lock():
        word.value += 1
    assert word.value == 1


def test_all_are_told_to_stop() -> None:
    assert not cluster_state.is_stopping()
    in_a_child(lambda: cluster_state.set_stopping(True))
    assert cluster_state.is_stopping()


# Queues


def test_only_the_first_queue_of_a_cluster_holds_tasks() -> None:
    assert cluster_state.is_task_taken()
    tasks, results = cluster_state.make_queue(), cluster_state.make_queue()
    results.put("result")
    assert cluster_state.is_task_taken()
    tasks.put("task")
    assert not cluster_state.is_task_taken()
    cluster_state.begin()
    assert cluster_state.is_task_taken()
    close(tasks, results)


# Signs of life


def test_the_command_is_known_to_all() -> None:
    assert cluster_state.command_pid() == os.getpid()


def test_a_pusher_that_has_not_been_seen_yet_has_time(clock: SimpleNamespace) -> None:
    clock.now += 3
    assert cluster_state.seconds_since_pusher(lambda: clock.now) == 3
    assert cluster_state.pusher_pid() == 0


def test_a_pusher_tells_its_pid_and_that_it_lives(clock: SimpleNamespace) -> None:
    clock.now += 60
    cluster_state.pusher_is_alive()
    assert cluster_state.pusher_pid() == os.getpid()
    assert cluster_state.seconds_since_pusher(lambda: clock.now + 2) == 2


def test_a_pusher_that_was_ended_is_not_ended_again(clock: SimpleNamespace) -> None:
    """Its pid is free for any process of the machine; and 0 would be the killer's own group."""
    cluster_state.pusher_is_alive()
    clock.now += 60
    cluster_state.pusher_is_awaited()
    assert cluster_state.pusher_pid() == 0
    assert cluster_state.seconds_since_pusher(lambda: clock.now) == 0


def waited(clock: SimpleNamespace) -> float:
    return cluster_state.seconds_waited(lambda: clock.now)


def test_a_message_waits_from_when_the_pusher_saw_it_until_it_is_taken(
    clock: SimpleNamespace,
) -> None:
    tasks = cluster_state.make_queue()
    cluster_state.pusher_is_alive()
    assert waited(clock) == 0
    tasks.put("a message")
    cluster_state.pusher_is_alive()
    clock.now += 4
    cluster_state.pusher_is_alive()
    assert waited(clock) == 4
    tasks.get()
    cluster_state.pusher_is_alive()
    assert waited(clock) == 0
    close(tasks)


def test_nobody_is_blamed_for_a_message_while_a_worker_works_alone(clock: SimpleNamespace) -> None:
    tasks = cluster_state.make_queue()
    tasks.put("a message")
    cluster_state.pusher_is_alive()
    cluster_state.work_alone(30)
    clock.now += 20
    assert waited(clock) == 0
    clock.now += 11
    assert waited(clock) == 31
    cluster_state.pusher_is_awaited()
    assert waited(clock) == 0
    close(tasks)


def test_one_worker_at_a_time_works_alone(clock: SimpleNamespace) -> None:
    assert cluster_state.may_work_alone(30)
    assert not cluster_state.may_work_alone(30)
    cluster_state.work_alone(0)
    assert cluster_state.may_work_alone(30)
    clock.now += 31
    assert cluster_state.may_work_alone(30)


def test_a_new_cluster_knows_nothing_of_what_the_last_one_was_at(clock: SimpleNamespace) -> None:
    cluster_state.work_alone(30)
    cluster_state.leave_off()
    cluster_state.begin()
    assert cluster_state.may_work_alone(30)
    assert cluster_state.left_off_at() == 0


def test_each_worker_of_a_sentinel_is_known_by_its_own_word() -> None:
    cluster_state.begin()
    in_a_child(lambda: cluster_state.worker_is_here(4001, 12.5))
    in_a_child(lambda: cluster_state.worker_is_here(4002, 13.5))
    assert cluster_state.workers_seen() == [(4001, 12.5), (4002, 13.5)]
    cluster_state.begin()
    assert cluster_state.workers_seen() == []
