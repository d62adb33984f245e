"""The pipe between the processes of a cluster."""

from __future__ import annotations

from jobs import cluster_state
from jobs.taskqueue import TaskQueue
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


def test_only_the_first_queue_of_a_cluster_holds_tasks() -> None:
    cluster_state.forget_queues()
    assert cluster_state.is_task_taken()
    tasks, results = cluster_state.make_queue(), cluster_state.make_queue()
    results.put("result")
    assert cluster_state.is_task_taken()
    tasks.put("task")
    assert not cluster_state.is_task_taken()
    cluster_state.forget_queues()
    assert cluster_state.is_task_taken()
    close(tasks, results)
