"""What stands in for parts of multiprocessing, between the processes of a cluster."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from jobs.cluster import worker
from jobs.cluster.overrides import NoResults, SharedEvent, SharedValue, WakePipe
from jobs.engine import shared_memory
from tests.jobs.conftest import close, in_a_child

# Newer Pythons warn of forks beside threads; these children only touch what is shared.
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
pytestmark = [pytest.mark.usefixtures("cluster"), FORKS]


@pytest.fixture
def pipe() -> Iterator[WakePipe]:
    made = WakePipe()
    yield made
    close(made)


# The pipe


def test_wakes_and_stops_come_out_in_order(pipe: WakePipe) -> None:
    pipe.put({"func": "whatever it is"})
    pipe.put("STOP")
    assert pipe.get()["func"] is worker.run_due
    assert pipe.get() == "STOP"


def test_a_wake_that_waits_serves_for_all(pipe: WakePipe) -> None:
    assert (pipe.empty(), pipe.qsize()) == (True, 0)
    pipe.wake()
    in_a_child(pipe.wake)
    assert (pipe.empty(), pipe.qsize()) == (False, 1)
    pipe.get()
    assert pipe.empty()


def test_it_is_known_how_long_a_wake_waits(pipe: WakePipe) -> None:
    pipe.wake()
    assert shared_memory.seconds_waited() > 0
    pipe.get()
    assert shared_memory.seconds_waited() == 0


def test_a_process_that_died_while_it_waited_holds_nothing_up(pipe: WakePipe) -> None:
    """It would have held the lock of multiprocessing's queue for ever."""
    pid = os.fork()
    if pid == 0:
        pipe.get()
        os._exit(0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    pipe.put("STOP")
    assert pipe.get() == "STOP"


def test_the_monitor_hears_of_nothing_but_the_end() -> None:
    results = NoResults()
    results.put({"result": None})
    assert results.empty()
    results.put("STOP")
    assert results.get() == "STOP"
    close(results)


# Events and values


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
