"""What the processes of one cluster share: made before the fork, read and written without locks.

A lock that a killed process held would stay locked; single bytes and sockets need none.
"""

import multiprocessing

from jobs.taskqueue import TaskQueue

_stopping = multiprocessing.RawValue("b", 0)
_task_queues: list[TaskQueue] = []


def is_stopping() -> bool:
    """Whether the cluster was told to stop: nothing new is claimed or started."""
    return bool(_stopping.value)


def set_stopping(value: bool) -> None:
    _stopping.value = int(value)


def make_queue(maxsize: int = 0) -> TaskQueue:
    """Stands in for django-q2's queue class; the first one made is the task queue."""
    made = TaskQueue(maxsize)
    _task_queues.append(made)
    return made


def forget_queues() -> None:
    """Before a new sentinel: its queues are new too."""
    _task_queues.clear()


def is_task_taken() -> bool:
    return not _task_queues or _task_queues[0].empty()
