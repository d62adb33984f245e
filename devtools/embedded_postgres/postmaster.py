"""Starts, finds and stops the server process (the "postmaster") of one data folder."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from devtools.embedded_postgres.binaries import bin_folder
from devtools.embedded_postgres.cluster import ensure_cluster, give, spawn
from devtools.embedded_postgres.errors import REMEDY, EmbeddedPostgresError
from devtools.embedded_postgres.layout import DATABASE, ConnectionInfo, Layout
from devtools.embedded_postgres.locks import POLL_SECONDS, open_private
from devtools.embedded_postgres.privileges import Account, choose_account

# On the command line, so that they come from the code and not from the age of the cluster.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    # The rows stand for instances that cost money: a commit must survive a power failure.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Compiling a short query takes longer than running it.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
# Signals to end the server, each with its time limit in seconds: fast and immediate shutdown in the
# words of pg_ctl, then kill, after which the next start runs recovery.
_ENDINGS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


@dataclass
class Postmaster:
    """A running server: a child process, or one that was adopted after its keeper was killed."""

    layout: Layout
    pid: int
    info: ConnectionInfo
    child: subprocess.Popen[bytes] | None = None

    def is_alive(self) -> bool:
        if self.child is not None:
            return self.child.poll() is None
        return _serves(self.pid, self.layout.cluster)

    def stop(self) -> None:
        """End the server; return when it has ended and its socket is removed."""
        for number, patience in _ENDINGS:
            if self.is_alive():
                os.kill(self.pid, number)
            deadline = time.monotonic() + patience
            while self.is_alive() and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        self.layout.remove_socket_folder(Path(self.info.host))


def start_postmaster(layout: Layout, *, timeout_seconds: float) -> Postmaster:
    """Return a server that accepts connections and has our database.

    Creates the cluster if needed. Adopts a server whose keeper was killed, and waits for one that
    is ending. Only the holder of the keeper lock may call this. Raises EmbeddedPostgresError.
    """
    deadline = time.monotonic() + timeout_seconds
    account = choose_account(layout.data_dir, layout.cluster)
    ensure_cluster(layout, account)
    while time.monotonic() < deadline:
        server = find_postmaster(layout) or _launch(layout, account)
        if _is_ready(server, deadline):
            return server
        if server.is_alive():
            server.stop()
            break
        if server.child is not None and not _may_pass(layout):
            break
    raise EmbeddedPostgresError(f"Postgres did not start in {layout.cluster}. {REMEDY}")


def find_postmaster(layout: Layout) -> Postmaster | None:
    """The server that runs on this cluster, whichever process started it.

    Its pid and socket folder are in postmaster.pid (lines 1 and 5; miscadmin.h).
    """
    try:
        lines = (layout.cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    pid = int(lines[0]) if lines and lines[0].strip().isdigit() else 0
    if not pid or not _serves(pid, layout.cluster):
        return None
    folder = lines[4] if len(lines) > 4 and lines[4] else os.fspath(layout.socket_folder())
    return Postmaster(layout, pid, ConnectionInfo(folder))


def _launch(layout: Layout, account: Account) -> Postmaster:
    _disown_stale_pid(layout)
    folder = layout.socket_folder()
    # The socket's lock file of a crashed server may name a pid that now belongs to another process.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    give(folder, account)
    settings = {**_SETTINGS, "unix_socket_directories": os.fspath(folder)}
    command = [os.fspath(bin_folder() / "postgres"), "-D", os.fspath(layout.cluster)]
    command += [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    log = open_private(layout.postgres_log, os.O_WRONLY | os.O_APPEND)
    try:
        # SIGINT is the fast shutdown: killing the keeper leaves no server behind.
        child = spawn(command, account, output=log, death_signal=signal.SIGINT)
    finally:
        os.close(log)
    return Postmaster(layout, child.pid, ConnectionInfo(os.fspath(folder)), child)


def _is_ready(server: Postmaster, deadline: float) -> bool:
    while server.is_alive() and time.monotonic() < deadline:
        try:
            _create_database(server.info)
        except psycopg.OperationalError:
            time.sleep(POLL_SECONDS)
        else:
            return True
    return False


def _create_database(info: ConnectionInfo) -> None:
    with psycopg.connect(
        host=info.host, port=info.port, user=info.user, dbname="postgres", autocommit=True
    ) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, [DATABASE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _may_pass(layout: Layout) -> bool:
    """True if the start failed only because children of a killed server have not ended yet."""
    is_passing = "pre-existing shared memory block" in tail(layout.postgres_log)
    if is_passing:
        time.sleep(POLL_SECONDS)
    return is_passing


def tail(path: Path, lines: int = 10) -> str:
    """The last lines of a log, for an error message."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _serves(pid: int, cluster: Path) -> bool:
    """Also checks the command line: after a reboot, another process may have the pid."""
    try:
        command = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return (
        bool(command) and Path(command[0]).name == "postgres" and os.fspath(cluster) in command[1:]
    )


def _disown_stale_pid(layout: Layout) -> None:
    """Let Postgres start even if another process now has the pid in postmaster.pid.

    Postgres refuses to start if a process with that pid lives, unless that is its own parent: so
    this process writes its own pid there. Removing the file would also remove the key of the shared
    memory, by which Postgres finds children of a killed server that still write to the cluster.
    """
    path = layout.cluster / "postmaster.pid"
    if not path.exists():
        return
    with open(open_private(path, os.O_RDWR), "r+") as file:  # noqa: PTH123 (a descriptor)
        _, _, rest = file.read().partition("\n")
        file.seek(0)
        file.write(f"{os.getpid()}\n{rest}")
        file.truncate()
