"""The parts of django-q2 that are replaced, and why. No other file overrides parts of a library.

django-q2 runs the processes: sentinel, pusher, workers, monitor. Each replacement below corrects a
failure that was observed when one of them was killed, frozen or stopped; tests/jobs/cluster repeats
the experiments. What can be configured is in Q_CLUSTER (novitai/settings.py) instead.
"""

import multiprocessing
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any

from django_q import cluster as q2
from django_q import monitor as q2_monitor
from django_q import pusher as q2_pusher
from django_q import worker as q2_worker
from django_q.signals import post_spawn

from jobs.cluster import processes, worker
from jobs.engine import shared_memory

# macOS has no SEQPACKET; its DGRAM socket pairs keep message boundaries as well.
_PAIR = socket.SOCK_DGRAM if sys.platform == "darwin" else socket.SOCK_SEQPACKET
_WAKE, _STOP = "wake", "STOP"


class WakePipe:
    """Replaces the task queue by a socket pair, which needs no lock.

    multiprocessing's queue has one, and kill -9 of the idle worker that holds it blocks all other
    readers for ever. The kernel gives each message to one reader, and a dead reader holds nothing.
    All tasks are the same ("look for work"), so one message in the pipe is enough.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, _PAIR)

    def wake(self) -> None:
        """Wake one idle worker; if all are busy, the first one that becomes idle."""
        shared_memory.wake_is_waiting()
        if self.empty():
            self._writer.send(_WAKE.encode())

    def put(self, item: Any) -> None:
        if item == _STOP:
            self._writer.send(_STOP.encode())
        else:
            self.wake()

    def get(self) -> Any:
        """Returns a task in the form that django-q2's worker executes, or STOP."""
        if (word := self._reader.recv(16).decode()) == _STOP:
            return word
        shared_memory.wake_is_taken()
        # timeout -1: django-q2 sets no alarm. Jobs have run limits of their own.
        return {"name": word, "func": worker.run_due, "args": (), "kwargs": {}, "timeout": -1}

    def empty(self) -> bool:
        """True if no message is in the pipe."""
        return not select.select([self._reader], [], [], 0)[0]

    def qsize(self) -> int:
        return 0 if self.empty() else 1

    def close(self) -> None:
        """Does nothing: a message is in the kernel when ``put`` returns."""

    def join_thread(self) -> None:
        """Does nothing: there is no feeder thread."""


class NoResults(WakePipe):
    """Replaces the result queue. Outcomes are in the job rows; the monitor only receives STOP."""

    def put(self, item: Any) -> None:
        if item == _STOP:
            super().put(item)


class SharedEvent:
    """Replaces multiprocessing.Event, where each ``is_set`` takes a lock: a pusher that is killed
    during that call would keep the lock.
    """

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
    """Replaces multiprocessing.Value. Workers hold its lock while they report; if such a worker is
    killed, the sentinel waits for that lock for ever.
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


class Sentinel(q2.Sentinel):
    """Starts the pusher, the workers and the monitor, and replaces those that die."""

    def start(self) -> None:
        """Ignore SIGTERM and SIGINT, here and in the children. Only the command reacts and stops
        the others; else SIGTERM to the whole process group would never end it.
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        processes.exit_with_parent()
        self.result_queue = NoResults()
        wake = self.task_queue.wake
        # django-q2 sends this signal in each worker process before its first task.
        post_spawn.connect(lambda **_: worker.begin(wake), weak=False, dispatch_uid="jobs.begin")
        super().start()

    def reincarnate(self, process: Any) -> None:
        """Replace a dead process. Its leases lapse now, so that others take its jobs."""
        super().reincarnate(process)
        shared_memory.work_alone(0)  # The dead worker may have been the one that worked alone.
        processes.take_back(
            [each for each in shared_memory.workers_seen() if each[0] == process.pid]
        )


def install() -> None:
    """Set the replacements as attributes of django-q2's modules."""
    q2.Sentinel = Sentinel
    q2.Queue = lambda maxsize=0: WakePipe()
    q2.Event = SharedEvent
    q2.Value = SharedValue
    # Each query finds out by itself whether its connection still works.
    q2_worker.close_old_django_connections = lambda: None
    # Without this, they would go on as orphans after the sentinel was killed.
    q2.pusher = _ending_with_parent(q2_pusher.pusher)
    q2.monitor = _ending_with_parent(q2_monitor.monitor)


def _ending_with_parent(target: Callable[..., None]) -> Callable[..., None]:
    @wraps(target)
    def run(*args: Any, **kwargs: Any) -> None:
        processes.exit_with_parent()
        target(*args, **kwargs)

    return run
