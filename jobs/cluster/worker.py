"""A worker process: its start, its reaction to a wake, and its end."""

import os
import sys
from collections.abc import Callable
from multiprocessing import util

import psutil
import structlog
from django.conf import settings
from django.db import Error, connections

from jobs.cluster import processes
from jobs.engine import heartbeat, shared_memory
from jobs.engine.executor import Executor

logger = structlog.get_logger()

# A thread whose query was answered must not wait the default 5 ms for a thread that computes.
SWITCH_SECONDS = 0.0005

_executor: Executor | None = None


def begin(wake: Callable[[], None]) -> None:
    """Initialise a new worker process. ``wake`` wakes another worker of its cluster."""
    global _executor
    processes.exit_with_parent()
    shared_memory.worker_is_here(os.getpid(), psutil.Process().create_time())
    connections.close_all()
    sys.setswitchinterval(SWITCH_SECONDS)
    _executor = Executor(settings.CONFIG.job_threads, wake=wake)
    _executor.begin()
    # multiprocessing does not run atexit functions in its children, but it runs finalizers.
    util.Finalize(None, _end, exitpriority=100)


def run_due() -> None:
    """Claim and run due jobs. The task that each wake executes."""
    if _executor is not None:
        _executor.run_due()


def _end() -> None:
    try:
        if _executor is not None:
            _executor.stop()
            heartbeat.end(_executor.live)
    except Error as error:
        logger.warning("worker_stop_incomplete", error=str(error))
    # Jobs that still hang were released. A normal exit would wait for their threads.
    os._exit(0)
