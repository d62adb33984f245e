"""Used by processes that need the database: become a user, start a keeper if there is none."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from devtools.embedded_postgres.errors import REMEDY, EmbeddedPostgresError
from devtools.embedded_postgres.layout import ConnectionInfo, Layout, open_layout
from devtools.embedded_postgres.locks import POLL_SECONDS, FileLock, is_held, open_private
from devtools.embedded_postgres.postmaster import find_postmaster, tail

_KEEPER = "devtools.embedded_postgres.keeper"
# The folder that contains the packages: the keeper must be found from any working directory.
_IMPORT_ROOT = Path(__file__).resolve().parents[2]
_START_TIMEOUT_SECONDS = 90.0
_STOP_TIMEOUT_SECONDS = 45.0

# The shared locks of this process by data folder; they stay open until it ends.
_shares: dict[Path, FileLock] = {}
_guard = threading.Lock()


def ensure_running(
    data_dir: Path, *, timeout_seconds: float = _START_TIMEOUT_SECONDS
) -> ConnectionInfo:
    """Return the address of the data folder's server, which then runs until this process has ended.

    Starts the server if needed (the first time takes one or two seconds for initdb). Safe to call
    from many processes and threads at once; children made by fork count as users too. Cheap if the
    server runs: call it for every new connection, so that a dead server is replaced. Prints
    nothing. Raises EmbeddedPostgresError with the last log lines.
    """
    deadline = time.monotonic() + timeout_seconds
    layout = open_layout(data_dir)
    with _guard:
        _become_user(layout, deadline)
        return _find_running(layout) or _start(layout, deadline)


def find_running(data_dir: Path) -> ConnectionInfo | None:
    """The address of the server if one runs; does not register the caller as a user."""
    return _find_running(Layout(data_dir))


def stop(data_dir: Path, *, timeout_seconds: float = _STOP_TIMEOUT_SECONDS) -> None:
    """Stop the server now, even if it has users; return when server and keeper have ended.

    A user that connects afterwards gets a new server. Raises EmbeddedPostgresError on timeout.
    """
    layout = Layout(data_dir)
    deadline = time.monotonic() + timeout_seconds
    told = None
    while is_held(layout.keeper_lock):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"The server of {layout.data_dir} does not stop.")
        keeper = _keeper_pid(layout)
        if keeper and told and keeper != told:
            return  # a user connected again and has a new keeper
        if keeper and told is None:
            os.kill(keeper, signal.SIGTERM)
            told = keeper
        time.sleep(POLL_SECONDS)
    if orphan := find_postmaster(layout):
        orphan.stop()


def _become_user(layout: Layout, deadline: float) -> None:
    """Take the shared lock. Waits while a keeper is stopping its server."""
    share = _shares.pop(layout.data_dir, None)
    while share is None or not share.is_current() or not share.try_shared():
        if share is None or not share.is_current():
            # No lock yet, or the folder was removed: a lock on a deleted file has no effect.
            if share is not None:
                share.close()
            share = FileLock(open_layout(layout.data_dir).users_lock)
            continue
        if time.monotonic() > deadline:
            share.close()
            raise EmbeddedPostgresError(f"The old server of {layout.data_dir} does not end.")
        time.sleep(POLL_SECONDS)
    _shares[layout.data_dir] = share


def _find_running(layout: Layout) -> ConnectionInfo | None:
    """The server's address if it answers and has a keeper; an orphan must get a keeper first."""
    if not is_held(layout.keeper_lock):
        return None
    # Read after the check of the lock: a new keeper removes the address of the previous one.
    info = layout.announced()
    return info if info and info.answers() else None


def _start(layout: Layout, deadline: float) -> ConnectionInfo:
    """Start a keeper and wait for its server; one process at a time does this, the others wait."""
    starter = FileLock(layout.start_lock)
    try:
        if not starter.wait_exclusive(deadline):
            raise _error(layout, "waiting for another process to start Postgres took too long")
        return _await_server(layout, deadline)
    finally:
        starter.close()


def _await_server(layout: Layout, deadline: float) -> ConnectionInfo:
    """Loop, since a keeper may exist: one that is ending, or one whose starter was killed.

    A keeper that fails writes to its log; one that was killed does not, so start another.
    """
    has_launched = False
    while time.monotonic() < deadline:
        if info := _find_running(layout):
            return info
        if not is_held(layout.keeper_lock):
            if has_launched and tail(layout.keeper_log):
                raise _error(layout, "Postgres could not be started")
            _launch_keeper(layout)
            has_launched = True
        time.sleep(POLL_SECONDS)
    raise _error(layout, "Postgres did not start in time")


def _launch_keeper(layout: Layout) -> None:
    """Start a keeper. Returns when it holds its lock and has detached itself from this process."""
    path = os.pathsep.join(filter(None, [str(_IMPORT_ROOT), os.environ.get("PYTHONPATH")]))
    # PGDATA, PGOPTIONS and the like would change the defaults of all Postgres programs.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    log = open_private(layout.keeper_log, os.O_WRONLY | os.O_TRUNC)
    try:
        subprocess.run(
            [sys.executable, "-m", _KEEPER, os.fspath(layout.data_dir)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**kept, "PYTHONPATH": path},
            start_new_session=True,
            check=False,
        )
    finally:
        os.close(log)


def _error(layout: Layout, what: str) -> EmbeddedPostgresError:
    logs = [
        f"--- {path.name}\n{text}"
        for path in (layout.keeper_log, layout.postgres_log)
        if (text := tail(path))
    ]
    return EmbeddedPostgresError("\n".join([f"{what} in {layout.data_dir}. {REMEDY}", *logs]))


def _keeper_pid(layout: Layout) -> int | None:
    """The pid in keeper.lock; None for a moment while it is that of an earlier keeper."""
    try:
        pid = int(layout.keeper_lock.read_bytes().split(b"\n")[0] or 0)
        return pid if _KEEPER in psutil.Process(pid).cmdline() else None
    except (psutil.Error, ValueError, FileNotFoundError):
        return None


def _renew_guard() -> None:
    """In a forked child, the guard may be held by a thread that does not exist there."""
    global _guard
    _guard = threading.Lock()


os.register_at_fork(after_in_child=_renew_guard)
