"""Measures how long jobs of a dead process wait until another process has them.

The time from the death until the row has another token or has ended.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from devtools.faults.real import ledgers
from devtools.faults.real.stack import Stack

# Lease plus the delay that I8 allows.
LONGEST_SECONDS = 30.0
POLL_SECONDS = 0.03
_HELD = "SELECT id, lease_token, worker FROM jobs_job WHERE status = 'processing'"


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds for each job that was taken over, and the jobs that were not taken in time."""

    seconds: tuple[float, ...] = ()
    forgotten: tuple[int, ...] = ()


def held_by_the_dead(stack: Stack) -> dict[int, int]:
    """Jobs whose process has ended, with their lease token."""
    held = ledgers.rows(stack, _HELD)
    return {job: token for job, token, worker in held if not _is_alive(worker)}


def follow(stack: Stack, held: Mapping[int, int], *, since: float) -> Recovery:
    """Wait until each of them is taken over. ``since``: time.monotonic of the death."""
    waiting = dict(held)
    seconds: list[float] = []
    while waiting and time.monotonic() - since < LONGEST_SECONDS:
        now_held = {job: token for job, token, _ in ledgers.rows(stack, _HELD)}
        back = [job for job, token in waiting.items() if now_held.get(job) != token]
        passed = time.monotonic() - since
        for job in back:
            del waiting[job]
            seconds.append(passed)
        time.sleep(POLL_SECONDS)
    return Recovery(tuple(seconds), tuple(waiting))


def pid_of(worker: str) -> int | None:
    """``worker`` is host:pid:start, as the heartbeat names processes."""
    parts = worker.split(":")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else None


def _is_alive(worker: str) -> bool:
    pid = pid_of(worker)
    if pid is None:
        return False
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
