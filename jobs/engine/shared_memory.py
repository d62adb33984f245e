"""State that the processes of one cluster share, created before the fork, used without locks.

A lock that a killed process held stays locked for ever and blocks every process that asks for it.
Plain numbers need no lock: each has one writer, or writers that write the same. Times are
time.monotonic(), which is the same in all processes of a machine.
"""

import multiprocessing
import os
import time

_stopping = multiprocessing.RawValue("b", 0)
_command_pid = multiprocessing.RawValue("i", 0)
_pusher_pid = multiprocessing.RawValue("i", 0)
# Time of the pusher's last round.
_pusher_seen = multiprocessing.RawValue("d", 0)
# Time since which a wake waits in the pipe (0: none), and time of the last claim of a worker.
_waiting_since = multiprocessing.RawValue("d", 0)
_active_at = multiprocessing.RawValue("d", 0)
# Until this time, due rows may wait that a claim had no room for.
_backlog_until = multiprocessing.RawValue("d", 0)
# Until this time, a worker may run a job that must be alone in its process.
_alone_until = multiprocessing.RawValue("d", 0)
# Pid and start of this sentinel's workers. A worker writes at index pid modulo 1,024, so that none
# waits for another; two live workers collide only if their pids differ by a multiple of that.
_PLACES = 1024
_worker_pids = multiprocessing.RawArray("q", _PLACES)
_worker_starts = multiprocessing.RawArray("d", _PLACES)

BACKLOG_SECONDS = 1.0


def begin() -> None:
    """Reset the state before a new sentinel starts."""
    _command_pid.value = os.getpid()
    _alone_until.value = _backlog_until.value = _active_at.value = 0
    pusher_is_awaited()
    _worker_pids[:] = [0] * _PLACES


def is_stopping() -> bool:
    """True once the cluster was told to stop: no job is claimed or started any more."""
    return bool(_stopping.value)


def set_stopping(value: bool) -> None:
    _stopping.value = int(value)


def command_pid() -> int:
    """Pid of the ``manage.py worker`` process; 0 outside of a cluster."""
    return int(_command_pid.value)


# Workers


def worker_is_here(pid: int, started: float) -> None:
    """Register a worker before its first claim: then its leases can be taken back if it dies."""
    _worker_starts[pid % _PLACES] = started
    _worker_pids[pid % _PLACES] = pid


def workers_seen() -> list[tuple[int, float]]:
    """Pid and start of each worker of this sentinel, including dead ones."""
    return [(pid, start) for pid, start in zip(_worker_pids, _worker_starts, strict=True) if pid]


def may_work_alone(seconds: float) -> bool:
    """True if no other worker works alone now; then the caller does, for at most ``seconds``."""
    if time.monotonic() < _alone_until.value:
        return False
    work_alone(seconds)
    return True


def work_alone(seconds: float) -> None:
    """The calling worker takes no wakes for at most ``seconds``; 0: it takes them again."""
    _alone_until.value = time.monotonic() + seconds


# Wakes


def set_backlog() -> None:
    """Note that due rows may be waiting: a process that makes room for them then wakes a worker."""
    _backlog_until.value = time.monotonic() + BACKLOG_SECONDS


def has_backlog() -> bool:
    return time.monotonic() < float(_backlog_until.value)


def wake_is_waiting() -> None:
    """Called when a wake is put into the pipe."""
    if not _waiting_since.value:
        _waiting_since.value = time.monotonic()


def wake_is_taken() -> None:
    _waiting_since.value = 0


def worker_is_active() -> None:
    """Called at each claim: with a backlog, a worker goes on without another wake."""
    _active_at.value = time.monotonic()


def seconds_waited() -> float:
    """Seconds that a wake has waited since a worker last claimed. 0 while a worker works alone."""
    now = time.monotonic()
    if not _waiting_since.value or now < _alone_until.value:
        return 0.0
    return now - max(float(_waiting_since.value), float(_active_at.value))


# The pusher: the process that runs the broker


def pusher_is_alive() -> None:
    """Called by the pusher in each of its rounds."""
    _pusher_pid.value, _pusher_seen.value = os.getpid(), time.monotonic()


def seconds_since_pusher() -> float:
    return time.monotonic() - float(_pusher_seen.value)


def pusher_pid() -> int:
    """0 if no pusher has registered."""
    return int(_pusher_pid.value)


def pusher_is_awaited() -> None:
    """Give a new pusher time to register. The old pid may belong to another process."""
    _pusher_pid.value = 0
    _pusher_seen.value = time.monotonic()
    _waiting_since.value = 0
