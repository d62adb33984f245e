"""The keeper: one detached process per data folder that runs the server while it has users.

Every user process holds a shared lock on users.lock. The keeper tries to get the exclusive lock,
and gets it only when no user process is alive any more, however they ended. `ensure_running` starts
it as `python -m devtools.embedded_postgres.keeper DATA_DIR`.

The server is the keeper's child. If the keeper is killed, the kernel sends the server a fast
shutdown (Linux); on other systems the next keeper adopts the server.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from threading import Event

from devtools.embedded_postgres.errors import EmbeddedPostgresError
from devtools.embedded_postgres.layout import Layout
from devtools.embedded_postgres.locks import FileLock
from devtools.embedded_postgres.postmaster import Postmaster, start_postmaster

# Long enough for manage.py commands in a row to share one server; short enough to be unnoticed.
GRACE_SECONDS = 2.0
START_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.1
# A keeper that is ending, or a check for a keeper, holds the lock only for a moment.
_KEEPER_LOCK_PATIENCE_SECONDS = 3.0
# One old log is kept beside the current one.
_LOG_LIMIT_BYTES = 10_000_000


def main() -> int:
    """Become the keeper and run the server. Also returns 0 if another keeper is at work."""
    os.umask(0o077)
    told_to_stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_stop.set())
    layout = Layout(Path(sys.argv[1]))
    lock = FileLock(layout.keeper_lock)
    if not lock.wait_exclusive(time.monotonic() + _KEEPER_LOCK_PATIENCE_SECONDS):
        return 0
    lock.write("")
    _leave_parent()
    lock.write(f"{os.getpid()}")
    try:
        server = start_postmaster(layout, timeout_seconds=START_TIMEOUT_SECONDS)
    except (EmbeddedPostgresError, OSError) as error:
        # The process that started the keeper shows the end of this log to its user.
        sys.stderr.write(f"{error}\n")
        return 1
    lock.write(f"{os.getpid()}\n{server.info.host}\n")
    watch(layout, server, told_to_stop)
    # Before the shutdown begins, so that no process connects to a server that is ending.
    lock.write(f"{os.getpid()}")
    server.stop()
    return 0


def watch(layout: Layout, server: Postmaster, told_to_stop: Event) -> None:
    """Return when the server has no users or has died, its folder is gone, or the event is set.

    With no users, this holds users.lock exclusively from then on: a new user waits until the server
    has ended and then starts a new keeper.
    """
    users = FileLock(layout.users_lock)
    idle_since: float | None = None
    while not told_to_stop.wait(_POLL_SECONDS) and server.is_alive() and users.is_current():
        _bound_log(layout.postgres_log)
        if not users.try_exclusive():
            idle_since = None
            continue
        idle_since = idle_since or time.monotonic()
        if time.monotonic() - idle_since >= GRACE_SECONDS:
            return
        users.release()


def _bound_log(log: Path) -> None:
    """Copy and truncate: the server appends to the open file, so a rename would not help."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.1"), follow_symlinks=False)
        os.truncate(log, 0)


def _leave_parent() -> None:
    """Continue in a child and end this process, so that the starter has no zombie to wait for.

    The child shares the open lock file, so the lock is never free in between.
    """
    if os.fork() > 0:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
