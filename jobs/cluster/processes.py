"""The processes of a cluster: ending them, noticing their end, and taking back their leases."""

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
    """End this process when its parent is gone: an orphan would go on claiming unwatched."""
    parent = multiprocessing.parent_process()  # As of the fork: by now it may be dead.

    def watch() -> None:
        while parent is not None and os.getppid() == parent.pid:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def alive(workers: Iterable[tuple[int, float]]) -> dict[tuple[int, float], psutil.Process]:
    """Those of these pids and starts (seconds since 1970) that still run."""
    found = {}
    for pid, started in workers:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.create_time() == started:
                found[pid, started] = process
    return found


def kill(processes: Iterable[psutil.Process]) -> None:
    """Some may have ended since they were listed."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def take_back(dead: Iterable[tuple[int, float]]) -> None:
    """Let the leases of dead workers lapse now instead of within seconds."""
    names = [heartbeat.name(pid, started) for pid, started in dead]
    try:
        heartbeat.forget(names)
        if expired := leasing.expire(names):
            logger.warning("leases_taken_back", workers=names, count=expired)
    except Error as error:
        logger.warning("leases_not_taken_back", error=str(error))
    finally:
        connections.close_all()  # None may be open at the next fork.
