"""Functions on the processes of a cluster: exit with the parent, list, kill, take back leases."""

import multiprocessing
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil
import structlog
from django.db import Error, connections

from jobs.engine import heartbeat, leasing

logger = structlog.get_logger()


def exit_with_parent() -> None:
    """End this process with its parent: an orphan would claim jobs without supervision."""
    parent = multiprocessing.parent_process()  # As of the fork: it may be dead now.

    def watch() -> None:
        while parent is not None and os.getppid() == parent.pid:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def alive(workers: Iterable[tuple[int, float]]) -> dict[tuple[int, float], psutil.Process]:
    """The given workers, as (pid, start in seconds since 1970), whose process still runs."""
    found = {}
    for pid, started in workers:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.create_time() == started:
                found[pid, started] = process
    return found


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill processes; those that have ended since they were listed are skipped."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def take_back(dead: Iterable[tuple[int, float]]) -> None:
    """Let the leases of dead workers lapse now, and not at the end of their 15 seconds."""
    names = [heartbeat.name(pid, started) for pid, started in dead]
    try:
        heartbeat.forget(names)
        if expired := leasing.expire(names):
            logger.warning("leases_taken_back", workers=names, count=expired)
    except Error as error:
        logger.warning("leases_not_taken_back", error=str(error))
    finally:
        connections.close_all()  # No connection may be open at the next fork.
