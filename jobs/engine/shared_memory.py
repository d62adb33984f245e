"""What the processes of one cluster share: made before the fork, read and written without locks.

A lock that a killed process held stays locked for ever, and blocks every process that asks for it.
Plain numbers need none: each has one writer, or writers that agree. Times are time.monotonic(),
which is the same in all processes of a machine.
"""

import multiprocessing
import os
import time

_stopping = multiprocessing.RawValue("b", 0)
_command_pid = multiprocessing.RawValue("i", 0)
_pusher_pid = multiprocessing.RawValue("i", 0)
# The pusher's last sign of life.
_pusher_seen = multiprocessing.RawValue("d", 0)
# Since when a wake waits to be taken (0: none does), and when a worker last claimed.
_waiting_since = multiprocessing.RawValue("d", 0)
_active_at = multiprocessing.RawValue("d", 0)
# Until when due rows may have been left behind by a claim.
_backlog_until = multiprocessing.RawValue("d", 0)
# Until when a worker may be at a row that must have its process to itself.
_alone_until = multiprocessing.RawValue("d", 0)
# The workers of this sentinel: pid and start. Each has the place that its pid chooses, so that
# none waits for another; two that live at once share one only if their pids are 1,024 apart.
_PLACES = 1024
_worker_pids = multiprocessing.RawArray("q", _PLACES)
_worker_starts = multiprocessing.RawArray("d", _PLACES)

BACKLOG_SECONDS = 1.0


def begin() -> None:
    """Before a new sentinel: nothing has been seen yet."""
    _command_pid.value = os.getpid()
    _alone_until.value = _backlog_until.value = _active_at.value = 0
    pusher_is_awaited()
    _worker_pids[:] = [0] * _PLACES


def is_stopping() -> bool:
    """Whether the cluster was told to stop: nothing new is claimed or started."""
    return bool(_stopping.value)


def set_stopping(value: bool) -> None:
    _stopping.value = int(value)


def command_pid() -> int:
    """The process that ``manage.py worker`` is; 0 outside of a cluster."""
    return int(_command_pid.value)


# Workers


def worker_is_here(pid: int, started: float) -> None:
    """A worker says so before it can hold a lease; no other process may know of it yet."""
    _worker_starts[pid % _PLACES] = started
    _worker_pids[pid % _PLACES] = pid


def workers_seen() -> list[tuple[int, float]]:
    """Pid and start of each worker of this sentinel, the dead ones too."""
    return [(pid, start) for pid, start in zip(_worker_pids, _worker_starts, strict=True) if pid]


def may_work_alone(seconds: float) -> bool:
    """Whether no other worker does; then this one does, for so long at most."""
    if time.monotonic() < _alone_until.value:
        return False
    work_alone(seconds)
    return True


def work_alone(seconds: float) -> None:
    """This worker takes no wake for so long at most; 0: it takes them again."""
    _alone_until.value = time.monotonic() + seconds


# Wakes


def set_backlog() -> None:
    """Due rows may be left behind: where room is made for them, a worker is to be woken."""
    _backlog_until.value = time.monotonic() + BACKLOG_SECONDS


def has_backlog() -> bool:
    return time.monotonic() < float(_backlog_until.value)


def wake_is_waiting() -> None:
    """A wake is in the pipe."""
    if not _waiting_since.value:
        _waiting_since.value = time.monotonic()


def wake_is_taken() -> None:
    _waiting_since.value = 0


def worker_is_active() -> None:
    """A worker's sign of life at each claim: with a backlog it goes on without another wake."""
    _active_at.value = time.monotonic()


def seconds_waited() -> float:
    """How long a wake has waited while no worker claimed. Zero while a worker has reason to."""
    now = time.monotonic()
    if not _waiting_since.value or now < _alone_until.value:
        return 0.0
    return now - max(float(_waiting_since.value), float(_active_at.value))


# The pusher, which is the process of the broker


def pusher_is_alive() -> None:
    """Its sign of life, at each of its rounds."""
    _pusher_pid.value, _pusher_seen.value = os.getpid(), time.monotonic()


def seconds_since_pusher() -> float:
    return time.monotonic() - float(_pusher_seen.value)


def pusher_pid() -> int:
    """0 while none has been seen."""
    return int(_pusher_pid.value)


def pusher_is_awaited() -> None:
    """A new pusher is on its way: give it time to be seen. The last one's pid may be another's."""
    _pusher_pid.value = 0
    _pusher_seen.value = time.monotonic()
    _waiting_since.value = 0
