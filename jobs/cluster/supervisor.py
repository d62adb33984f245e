"""The worker cluster: django-q2's processes, with the remedies that make them safe to kill.

``manage.py worker`` runs it. Processes: this command, its sentinel, and the sentinel's children:
a pusher (claims rows), the workers (run them) and a monitor (django-q2's results; ours is empty).
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import wraps
from multiprocessing import util
from typing import Any

import psutil
import structlog
from django.conf import settings
from django.db import Error, connections
from django_q import cluster as q2
from django_q import monitor as q2_monitor
from django_q import pusher as q2_pusher
from django_q import worker as q2_worker
from django_q.signals import post_spawn

from jobs import counters
from jobs.engine import heartbeat, leasing, shared_memory
from jobs.engine.executor import Executor

logger = structlog.get_logger()

RESTART_PAUSE_SECONDS = 0.5
STOP_SECONDS = 10.0
LOOK_SECONDS = 1.0
# A thread whose query was answered must not wait Python's usual 5 ms for the one that computes.
SWITCH_SECONDS = 0.0005
# A message that no worker takes for so long: the workers, or the pipe to them, stand still.
STALL_SECONDS = 10.0
# Longer than any statement of the pusher's may wait (lock_timeout, tcp_user_timeout).
PUSHER_SECONDS = 12.0

_runner: Executor | None = None


def run_message(leases: Sequence[tuple[int, int]], *, is_alone: bool) -> None:
    """What a message makes a worker do. A stopping cluster gives the rows back instead."""
    shared_memory.message_is_taken()
    if shared_memory.is_stopping() or _runner is None:
        leasing.release(leases)
    elif is_alone:
        _runner.run_alone(leases[0])
    else:
        _runner.run(leases)


def _begin_worker(**_: Any) -> None:
    """In a new worker process: its own threads, connections and end."""
    global _runner
    exit_with_parent()
    shared_memory.worker_is_here(os.getpid(), psutil.Process().create_time())
    connections.close_all()
    sys.setswitchinterval(SWITCH_SECONDS)
    _runner = Executor(settings.CONFIG.job_threads)
    # atexit does not run in multiprocessing's children; its finalizers do.
    util.Finalize(None, _end_worker, exitpriority=100)


def _end_worker() -> None:
    try:
        if _runner is not None:
            _runner.stop()
            heartbeat.end(_runner.live)
    except Error as error:
        logger.warning("worker_stop_incomplete", error=str(error))
    # What still hangs was given back; the interpreter would wait for its thread.
    os._exit(0)


class Sentinel(q2.Sentinel):
    """Guards the pusher, the workers and the monitor, and outlives a signal to the whole group."""

    def start(self) -> None:
        # A supervisor may signal every process of the group: only the command reacts, and tells
        # the others. The children made from here on inherit this.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        exit_with_parent()
        self._names: dict[int, str] = {}
        super().start()

    def spawn_process(self, target: Any, *args: Any) -> Any:
        process = super().spawn_process(target, *args)
        with suppress(psutil.NoSuchProcess):
            self._names[process.pid] = heartbeat.name_of(psutil.Process(process.pid))
        return process

    def reincarnate(self, process: Any) -> None:
        """Replace a process that died, and let others have its rows at once."""
        super().reincarnate(process)
        shared_memory.work_alone(0)  # It may have been what died alone.
        take_back([self._names.pop(process.pid, "")])


class Cluster(q2.Cluster):
    """Starts a sentinel and replaces one that died; stops once, quickly, from a signal."""

    def __init__(self) -> None:
        super().__init__()
        self._members: set[psutil.Process] = set()

    def stop(self) -> bool:
        """Tell everyone to stop and wait; whoever is not done in time is ended."""
        shared_memory.set_stopping(True)
        if self.sentinel is None or not self.sentinel.is_alive():
            return False
        self._look_who_is_there()
        self.stop_event.set()
        self.sentinel.join(timeout=STOP_SECONDS)
        if self.sentinel.is_alive():
            logger.error("cluster_stop_forced")
            self.sentinel.kill()
        # A child that outlived its sentinel would notice by itself, but only after this returns.
        _kill_all(psutil.wait_procs(self._members, timeout=1.0)[1])
        return True

    def run(self) -> int:
        """Until told to stop. Returns the process's exit status."""
        install_remedies()
        while not shared_memory.is_stopping():
            shared_memory.begin()
            connections.close_all()
            with suppress(RuntimeError):  # It ended while it started; the watch tells of it.
                self.start()
            self._watch()
        return 0

    def _watch(self) -> None:
        """Until the sentinel ends, by itself or because its work has come to a halt."""
        last = time.monotonic()
        while self.sentinel is not None and self.sentinel.is_alive():
            self._look_who_is_there()
            self.sentinel.join(timeout=LOOK_SECONDS)
            now = time.monotonic()
            if now - last < STALL_SECONDS / 2:  # Else this process slept, perhaps all the machine.
                self._end_what_stands_still()
            last = now
        if not shared_memory.is_stopping():
            logger.error("sentinel_died", exitcode=getattr(self.sentinel, "exitcode", None))
            self._clear_away()
            time.sleep(RESTART_PAUSE_SECONDS)

    def _look_who_is_there(self) -> None:
        with suppress(psutil.NoSuchProcess):
            self._members = set(psutil.Process(self.sentinel.pid).children())

    def _clear_away(self) -> None:
        """What an ended sentinel left: its children, and the leases that they hold. A worker that
        began since the last look is known by its own word.
        """
        workers = shared_memory.workers_seen()
        left = self._members | set(_alive(workers))
        _kill_all(left)
        _, alive = psutil.wait_procs(left, timeout=2.0)
        still = {heartbeat.name_of(process) for process in alive}
        take_back([name for each in workers if (name := heartbeat.name(*each)) not in still])
        self._members = set()
        _count_restart()

    def _end_what_stands_still(self) -> None:
        """The watchdog: the leases of what is ended here lapse, and others take them over."""
        if shared_memory.is_stopping():
            return
        if shared_memory.seconds_since_pusher() > PUSHER_SECONDS:
            logger.error("pusher_stands_still", pid=shared_memory.pusher_pid())
            _kill(shared_memory.pusher_pid())
            shared_memory.pusher_is_awaited()
        elif (seconds := shared_memory.seconds_waited()) > STALL_SECONDS:
            logger.error("work_is_not_taken", seconds=round(seconds))
            shared_memory.pusher_is_awaited()
            self._kill_all()

    def _kill_all(self) -> None:
        """The sentinel last: it must not be seen dead while a child of it still works."""
        with suppress(psutil.NoSuchProcess):
            sentinel = psutil.Process(self.sentinel.pid)
            sentinel.suspend()
            _kill_all(sentinel.children(recursive=True))
            sentinel.kill()


def _alive(workers: Iterable[tuple[int, float]]) -> Iterator[psutil.Process]:
    for pid, started in workers:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.create_time() == started:
                yield process


def _kill(pid: int) -> None:
    """0 is nobody; to the system it would be this process's whole group."""
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _kill_all(processes: Iterable[psutil.Process]) -> None:
    """Some may have ended since they were listed."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def take_back(dead: Sequence[str]) -> None:
    """Let the leases of dead processes lapse now instead of within seconds."""
    try:
        heartbeat.forget(dead)
        if expired := leasing.expire(dead):
            logger.warning("leases_taken_back", workers=list(dead), count=expired)
    except Error as error:
        logger.warning("leases_not_taken_back", error=str(error))
    finally:
        connections.close_all()  # None may be open at the next fork.


def _count_restart() -> None:
    try:
        counters.count(counters.CLUSTER_RESTARTS)
    except Error as error:
        logger.warning("restart_not_counted", error=str(error))
    finally:
        connections.close_all()


def install_remedies() -> None:
    """Put our parts where django-q2 looks for its own; each is tested by the fault it mends."""
    q2.Sentinel = Sentinel
    q2.Queue = shared_memory.make_queue
    q2.Event = shared_memory.SharedEvent
    q2.Value = shared_memory.SharedValue
    # Each query finds out by itself whether its connection still works (jobs/engine/executor.py).
    q2_worker.close_old_django_connections = lambda: None
    q2.pusher = _ending_with_parent(q2_pusher.pusher)
    q2.monitor = _ending_with_parent(q2_monitor.monitor)
    post_spawn.connect(_begin_worker, dispatch_uid="jobs.begin_worker")


def _ending_with_parent(target: Callable[..., None]) -> Callable[..., None]:
    """A process's main function for one that must not outlive the sentinel."""

    @wraps(target)
    def run(*args: Any, **kwargs: Any) -> None:
        exit_with_parent()
        target(*args, **kwargs)

    return run


def exit_with_parent() -> None:
    """End this process when its parent is gone: an orphan would go on claiming unwatched."""
    parent = multiprocessing.parent_process()  # As of the fork: by now it may be dead.

    def watch() -> None:
        while parent is not None and os.getppid() == parent.pid:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
