"""The worker cluster: starts django-q2's processes, replaces them, and stops them.

``manage.py worker`` runs it. Processes: this command, its child the sentinel, and the sentinel's
children: a pusher (the broker), the workers, a monitor (for django-q2's results; not used).
"""

import os
import signal
import time
from contextlib import suppress

import psutil
import structlog
from django.db import connections
from django_q import cluster as q2

from jobs import counters
from jobs.cluster import overrides, processes
from jobs.engine import shared_memory

logger = structlog.get_logger()

RESTART_PAUSE_SECONDS = 0.5
STOP_SECONDS = 10.0
POLL_SECONDS = 1.0
# If no worker takes a wake for this long, the workers, or the pipe to them, are stuck.
STALL_SECONDS = 10.0
# Longer than any statement of the pusher can wait (lock_timeout, tcp_user_timeout).
PUSHER_SECONDS = 12.0


class Cluster(q2.Cluster):
    """Starts a sentinel and replaces it if it dies. ``stop`` ends the whole cluster."""

    def stop(self) -> bool:
        """Tell all processes to stop and wait; after STOP_SECONDS, kill the remaining ones."""
        shared_memory.set_stopping(True)
        if self.sentinel is None or not self.sentinel.is_alive():
            return False
        self.stop_event.set()
        self.sentinel.join(timeout=STOP_SECONDS)
        if self.sentinel.is_alive():
            logger.error("cluster_stop_forced")
            self._kill_all()
        return True

    def run(self) -> int:
        """Run until the cluster is told to stop. Returns the exit status of the command."""
        overrides.install()
        while not shared_memory.is_stopping():
            shared_memory.begin()
            connections.close_all()
            with suppress(RuntimeError):  # It ended during its start; _watch handles that.
                self.start()
            self._watch()
        return 0

    def _watch(self) -> None:
        """Return when the sentinel has ended, by itself or because the watchdog killed it."""
        last = time.monotonic()
        while self.sentinel is not None and self.sentinel.is_alive():
            self.sentinel.join(timeout=POLL_SECONDS)
            now = time.monotonic()
            if now - last < STALL_SECONDS / 2:  # Else this process, perhaps the machine, slept.
                self._end_what_stands_still()
            last = now
        if not shared_memory.is_stopping():
            logger.error("sentinel_died", exitcode=getattr(self.sentinel, "exitcode", None))
            self._clear_away()
            time.sleep(RESTART_PAUSE_SECONDS)

    def _clear_away(self) -> None:
        """Kill the workers that an ended sentinel left, as registered in shared memory, and take
        back their leases. Pusher and monitor end by themselves.
        """
        workers = shared_memory.workers_seen()
        left = processes.alive(workers)
        processes.kill(left.values())
        psutil.wait_procs(left.values(), timeout=2.0)
        still = processes.alive(left)
        processes.take_back(each for each in workers if each not in still)
        counters.try_to_count(counters.CLUSTER_RESTARTS)
        connections.close_all()  # No connection may be open at the next fork.

    def _end_what_stands_still(self) -> None:
        """The watchdog: kill a stuck pusher or cluster; other workers take over its leases."""
        if shared_memory.is_stopping():
            return
        if shared_memory.seconds_since_pusher() > PUSHER_SECONDS:
            pid = shared_memory.pusher_pid()
            logger.error("pusher_stands_still", pid=pid)
            shared_memory.pusher_is_awaited()
            if pid:  # os.kill(0, …) would kill this process's whole group.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        elif (seconds := shared_memory.seconds_waited()) > STALL_SECONDS:
            logger.error("work_is_not_taken", seconds=round(seconds))
            shared_memory.pusher_is_awaited()
            self._kill_all()

    def _kill_all(self) -> None:
        """The sentinel is killed last: it must not seem dead while a child still works."""
        with suppress(psutil.NoSuchProcess):
            sentinel = psutil.Process(self.sentinel.pid)
            sentinel.suspend()
            processes.kill(sentinel.children(recursive=True))
            sentinel.kill()
