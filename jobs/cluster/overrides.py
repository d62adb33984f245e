"""The parts of django-q2 that are replaced, and why. No other file overrides a library's parts.

django-q2 runs the processes: sentinel, pusher, workers, monitor. Each replacement below mends what
was seen when one of them is killed, frozen or stopped; tests/jobs/cluster repeats the experiments.
What needs no replacement is set in Q_CLUSTER (novitai/settings.py).
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

# macOS has no SEQPACKET; its DGRAM socket pairs keep message borders as well.
_PAIR = socket.SOCK_DGRAM if sys.platform == "darwin" else socket.SOCK_SEQPACKET
_WAKE, _STOP = "wake", "STOP"


class WakePipe:
    """The task queue: a socket pair, without a lock.

    multiprocessing's queue has one, and kill -9 of the idle worker that holds it blocks every
    other reader for good. Of a socket pair the kernel hands each message to one reader, and a dead
    reader holds nothing. All tasks are the same, "look for work", so one that waits is enough.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, _PAIR)

    def wake(self) -> None:
        """Let an idle worker look for work; if all are busy, the first that is not."""
        shared_memory.wake_is_waiting()
        if self.empty():
            self._writer.send(_WAKE.encode())

    def put(self, item: Any) -> None:
        if item == _STOP:
            self._writer.send(_STOP.encode())
        else:
            self.wake()

    def get(self) -> Any:
        """A task as django-q2's worker executes it, or STOP."""
        if (word := self._reader.recv(16).decode()) == _STOP:
            return word
        shared_memory.wake_is_taken()
        # Without the alarm that django-q2 would set for each task.
        return {"name": word, "func": worker.run_due, "args": (), "kwargs": {}, "timeout": -1}

    def empty(self) -> bool:
        """Whether nothing waits to be taken."""
        return not select.select([self._reader], [], [], 0)[0]

    def qsize(self) -> int:
        return 0 if self.empty() else 1

    def close(self) -> None:
        """Nothing to flush: a message is in the kernel once put returns."""

    def join_thread(self) -> None:
        """There is no feeder thread."""


class NoResults(WakePipe):
    """The result queue: outcomes are in the job rows, so the monitor hears only when to stop."""

    def put(self, item: Any) -> None:
        if item == _STOP:
            super().put(item)


class SharedEvent:
    """In place of multiprocessing.Event, whose every look takes a lock: the pusher may be killed
    while it looks.
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
    """In place of multiprocessing.Value: workers hold its lock while they report, and the sentinel
    waits for that lock, for ever if the worker was killed.
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
    """Guards the pusher, the workers and the monitor."""

    def start(self) -> None:
        """SIGTERM to the whole group would never end: only the command reacts to it, and tells the
        others. The children made from here on inherit this.
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        processes.exit_with_parent()
        self.result_queue = NoResults()
        wake = self.task_queue.wake
        # Sent in each worker process before it takes its first task.
        post_spawn.connect(lambda **_: worker.begin(wake), weak=False, dispatch_uid="jobs.begin")
        super().start()

    def reincarnate(self, process: Any) -> None:
        """Replace a process that died, and let others have its rows at once."""
        super().reincarnate(process)
        shared_memory.work_alone(0)  # It may have been the one that worked alone.
        processes.take_back(
            [each for each in shared_memory.workers_seen() if each[0] == process.pid]
        )


def install() -> None:
    """Put the replacements where django-q2 looks for its own parts."""
    q2.Sentinel = Sentinel
    q2.Queue = lambda maxsize=0: WakePipe()
    q2.Event = SharedEvent
    q2.Value = SharedValue
    # Each query finds out by itself whether its connection still works.
    q2_worker.close_old_django_connections = lambda: None
    # Orphans of a killed sentinel would go on.
    q2.pusher = _ending_with_parent(q2_pusher.pusher)
    q2.monitor = _ending_with_parent(q2_monitor.monitor)


def _ending_with_parent(target: Callable[..., None]) -> Callable[..., None]:
    @wraps(target)
    def run(*args: Any, **kwargs: Any) -> None:
        processes.exit_with_parent()
        target(*args, **kwargs)

    return run
