"""The pipe between the processes of a cluster."""

from __future__ import annotations

import os
import signal

import pytest

from jobs.engine.pipe import TaskQueue
from tests.jobs.conftest import close


def test_messages_come_out_whole_and_in_order() -> None:
    pipe = TaskQueue()
    messages = ["STOP", {"args": ([(1, 2)],)}, "x" * 100_000]
    for message in messages:
        pipe.put(message)
    assert [pipe.get() for _ in messages] == messages
    close(pipe)


def test_it_knows_whether_something_waits() -> None:
    pipe = TaskQueue()
    assert (pipe.empty(), pipe.qsize()) == (True, 0)
    pipe.put(1)
    assert (pipe.empty(), pipe.qsize()) == (False, 1)
    pipe.get()
    assert pipe.empty()
    close(pipe)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_died_while_it_waited_holds_nothing_up() -> None:
    """It would have held the lock of multiprocessing's queue for ever."""
    pipe = TaskQueue()
    pid = os.fork()
    if pid == 0:
        pipe.get()
        os._exit(0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    pipe.put("a message")
    assert pipe.get() == "a message"
    close(pipe)
