"""What the processes of a cluster share."""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace

import pytest

from jobs.engine import shared_memory
from jobs.engine.shared_memory import SharedEvent, SharedValue
from tests.jobs.conftest import close

# Newer Pythons warn of forks beside threads; these children only touch what is shared.
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
pytestmark = [pytest.mark.usefixtures("cluster"), FORKS]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The machine's clock, which stands still until the test sets it."""
    clock = SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(shared_memory, "time", clock)
    shared_memory.begin()
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
    flag = SharedEvent()
    assert not flag.is_set()
    assert not flag.wait(0)
    in_a_child(flag.set)
    assert flag.is_set()
    assert flag.wait(0)


def test_whoever_waits_for_a_flag_goes_on_when_it_is_set() -> None:
    flag = SharedEvent()
    seen: list[bool] = []
    waiter = threading.Thread(target=lambda: seen.append(flag.wait(20)))
    waiter.start()
    flag.set()
    waiter.join(timeout=20)
    assert seen == [True]


@pytest.mark.parametrize(("typecode", "value"), [("f", -1), ("i", 5), ("d", 0.25)])
def test_a_word_is_seen_by_every_process(typecode: str, value: float) -> None:
    word = SharedValue(typecode, value)
    assert word.value == value

    def change() -> None:
        with word.get_lock():
            word.value = -2

    in_a_child(change)
    assert word.value == -2


def test_a_word_has_no_lock_that_a_dead_process_could_hold() -> None:
    word = SharedValue("i", 0)
    in_a_child(word.get_lock().__enter__)
    with word.get_lock(), word.get_lock():
        word.value += 1
    assert word.value == 1


def test_all_are_told_to_stop() -> None:
    assert not shared_memory.is_stopping()
    in_a_child(lambda: shared_memory.set_stopping(True))
    assert shared_memory.is_stopping()


# Queues


def test_only_the_first_queue_of_a_cluster_holds_tasks() -> None:
    assert shared_memory.is_task_taken()
    tasks, results = shared_memory.make_queue(), shared_memory.make_queue()
    results.put("result")
    assert shared_memory.is_task_taken()
    tasks.put("task")
    assert not shared_memory.is_task_taken()
    shared_memory.begin()
    assert shared_memory.is_task_taken()
    close(tasks, results)


# Signs of life


def test_the_command_is_known_to_all() -> None:
    assert shared_memory.command_pid() == os.getpid()


def test_a_pusher_that_has_not_been_seen_yet_has_time(clock: SimpleNamespace) -> None:
    clock.now += 3
    assert shared_memory.seconds_since_pusher(lambda: clock.now) == 3
    assert shared_memory.pusher_pid() == 0


def test_a_pusher_tells_its_pid_and_that_it_lives(clock: SimpleNamespace) -> None:
    clock.now += 60
    shared_memory.pusher_is_alive()
    assert shared_memory.pusher_pid() == os.getpid()
    assert shared_memory.seconds_since_pusher(lambda: clock.now + 2) == 2


def test_a_pusher_that_was_ended_is_not_ended_again(clock: SimpleNamespace) -> None:
    """Its pid is free for any process of the machine; and 0 would be the killer's own group."""
    shared_memory.pusher_is_alive()
    clock.now += 60
    shared_memory.pusher_is_awaited()
    assert shared_memory.pusher_pid() == 0
    assert shared_memory.seconds_since_pusher(lambda: clock.now) == 0


def waited(clock: SimpleNamespace) -> float:
    return shared_memory.seconds_waited(lambda: clock.now)


def test_a_message_waits_from_when_the_pusher_saw_it_until_it_is_taken(
    clock: SimpleNamespace,
) -> None:
    tasks = shared_memory.make_queue()
    shared_memory.pusher_is_alive()
    assert waited(clock) == 0
    tasks.put("a message")
    shared_memory.pusher_is_alive()
    clock.now += 4
    shared_memory.pusher_is_alive()
    assert waited(clock) == 4
    tasks.get()
    shared_memory.pusher_is_alive()
    assert waited(clock) == 0
    close(tasks)


def test_nobody_is_blamed_for_a_message_while_a_worker_works_alone(clock: SimpleNamespace) -> None:
    tasks = shared_memory.make_queue()
    tasks.put("a message")
    shared_memory.pusher_is_alive()
    shared_memory.work_alone(30)
    clock.now += 20
    assert waited(clock) == 0
    clock.now += 11
    assert waited(clock) == 31
    shared_memory.pusher_is_awaited()
    assert waited(clock) == 0
    close(tasks)


def test_one_worker_at_a_time_works_alone(clock: SimpleNamespace) -> None:
    assert shared_memory.may_work_alone(30)
    assert not shared_memory.may_work_alone(30)
    shared_memory.work_alone(0)
    assert shared_memory.may_work_alone(30)
    clock.now += 31
    assert shared_memory.may_work_alone(30)


def test_a_new_cluster_knows_nothing_of_what_the_last_one_was_at(clock: SimpleNamespace) -> None:
    shared_memory.work_alone(30)
    shared_memory.leave_off()
    shared_memory.begin()
    assert shared_memory.may_work_alone(30)
    assert shared_memory.left_off_at() == 0


def test_each_worker_of_a_sentinel_is_known_by_its_own_word() -> None:
    shared_memory.begin()
    in_a_child(lambda: shared_memory.worker_is_here(4001, 12.5))
    in_a_child(lambda: shared_memory.worker_is_here(4002, 13.5))
    assert shared_memory.workers_seen() == [(4001, 12.5), (4002, 13.5)]
    shared_memory.begin()
    assert shared_memory.workers_seen() == []
