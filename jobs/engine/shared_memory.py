"""What the processes of one cluster share: made before the fork, read and written without locks.

A lock that a killed process held stays locked for ever, and with it everybody who asks for it.
Plain machine words and sockets need none: each has one writer, or writers that agree.
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from jobs.engine.pipe import TaskQueue

_stopping = multiprocessing.RawValue("b", 0)
_command_pid = multiprocessing.RawValue("i", 0)
_pusher_pid = multiprocessing.RawValue("i", 0)
# In time.monotonic(), which all processes of a machine share: the pusher's last sign of life, and
# since when a message of its waits for a worker (0: none does).
_pusher_seen = multiprocessing.RawValue("d", 0)
_waiting_since = multiprocessing.RawValue("d", 0)
# Whether the pusher waits for a type to fall below its cap.
_is_blocked = multiprocessing.RawValue("b", 0)
# Until when a worker may be at a row that must have its process to itself.
_alone_until = multiprocessing.RawValue("d", 0)
# When a worker last took a message.
_taken_at = multiprocessing.RawValue("d", 0)
# When a worker with a backlog at hand last stopped claiming for itself.
_left_off = multiprocessing.RawValue("d", 0)
# The workers of this sentinel: pid and start. Each has the place that its pid chooses, so that
# none waits for another; two that live at once share one only if their pids are 1,024 apart.
_PLACES = 1024
_worker_pids = multiprocessing.RawArray("q", _PLACES)
_worker_starts = multiprocessing.RawArray("d", _PLACES)
_task_queues: list[TaskQueue] = []


class SharedEvent:
    """Stands in for multiprocessing.Event, whose every look takes a lock."""

    def __init__(self) -> None:
        self._value = multiprocessing.RawValue("b", 0)

    def is_set(self) -> bool:
        return bool(self._value.value)

    def set(self) -> None:
        self._value.value = 1

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not self.is_set() and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))
        return self.is_set()


class SharedValue:
    """Stands in for multiprocessing.Value: django-q2's workers hold its lock while they report,
    and its sentinel waits for that lock, for ever if the worker was killed.
    """

    def __init__(self, typecode: str, value: float) -> None:
        self._value = multiprocessing.RawValue(typecode, value)

    @property
    def value(self) -> Any:
        return self._value.value

    @value.setter
    def value(self, value: float) -> None:
        self._value.value = value

    def get_lock(self) -> AbstractContextManager[None]:
        return nullcontext()


def is_stopping() -> bool:
    """Whether the cluster was told to stop: nothing new is claimed or started."""
    return bool(_stopping.value)


def set_stopping(value: bool) -> None:
    _stopping.value = int(value)


def command_pid() -> int:
    """The process that ``manage.py worker`` is; 0 outside of a cluster."""
    return int(_command_pid.value)


def begin() -> None:
    """Before a new sentinel: its queues are new, and nobody has been seen yet."""
    _command_pid.value = os.getpid()
    _alone_until.value = _left_off.value = _is_blocked.value = 0
    pusher_is_awaited()
    _worker_pids[:] = [0] * _PLACES
    _task_queues.clear()


def worker_is_here(pid: int, started: float) -> None:
    """A worker says so before it can hold a lease; nobody else may know of it yet."""
    _worker_starts[pid % _PLACES] = started
    _worker_pids[pid % _PLACES] = pid


def workers_seen() -> list[tuple[int, float]]:
    """Pid and start of each worker of this sentinel, the dead ones too."""
    return [(pid, start) for pid, start in zip(_worker_pids, _worker_starts, strict=True) if pid]


def make_queue(maxsize: int = 0) -> TaskQueue:
    """Stands in for django-q2's queue class; the first one made is the task queue."""
    made = TaskQueue(maxsize)
    _task_queues.append(made)
    return made


def is_task_taken() -> bool:
    """Whether no message waits for a worker."""
    return not _task_queues or _task_queues[0].empty()


def pusher_is_alive() -> None:
    """The pusher's sign of life, at each of its rounds."""
    now = time.monotonic()
    _pusher_pid.value, _pusher_seen.value = os.getpid(), now
    if is_task_taken():
        _waiting_since.value = 0
    elif not _waiting_since.value:
        _waiting_since.value = now


def seconds_waited(clock: Callable[[], float] = time.monotonic) -> float:
    """How long messages have been waiting without any of them being taken.

    Zero while a worker has reason to take none.
    """
    now = clock()
    if not _waiting_since.value or now < _alone_until.value:
        return 0.0
    return now - max(float(_waiting_since.value), float(_taken_at.value))


def message_is_taken() -> None:
    """A worker's sign of life: many messages may wait while each is taken in its turn."""
    _taken_at.value = time.monotonic()


def leave_off() -> None:
    """This worker no longer claims for itself: the backlog, if any is left, is the pusher's."""
    _left_off.value = time.monotonic()


def left_off_at() -> float:
    return float(_left_off.value)


def may_work_alone(seconds: float) -> bool:
    """Whether no other worker does; then this one does, for so long at most."""
    if time.monotonic() < _alone_until.value:
        return False
    work_alone(seconds)
    return True


def work_alone(seconds: float) -> None:
    """This worker takes no message for so long at most; 0: it takes them again."""
    _alone_until.value = time.monotonic() + seconds


def seconds_since_pusher(clock: Callable[[], float] = time.monotonic) -> float:
    return clock() - float(_pusher_seen.value)


def set_blocked(value: bool) -> None:
    _is_blocked.value = int(value)


def is_blocked() -> bool:
    """Whether due rows may wait for room in their type's cap: whoever makes some should tell."""
    return bool(_is_blocked.value)


def pusher_pid() -> int:
    """0 while none has been seen."""
    return int(_pusher_pid.value)


def pusher_is_awaited() -> None:
    """A new pusher is on its way: give it time to be seen. Its forerunner's pid is nobody's now."""
    _pusher_pid.value = 0
    _pusher_seen.value = time.monotonic()
    _waiting_since.value = 0
