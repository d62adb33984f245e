"""A streaming replica of a test's own server: what an address may lead to after a failover."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from devtools.embedded_postgres.binaries import bin_folder
from devtools.embedded_postgres.cluster import give, spawn
from tests.core.database.servers import PATIENCE, OwnServer, eventually

# The replica must allow as many connections as the server that it follows.
OPTIONS = ("-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=32MB")


@contextmanager
def standby_of(server: OwnServer, folder: Path) -> Iterator[str]:
    """The URL of a replica that runs; ``promote`` makes it a server of its own."""
    folder.mkdir(mode=0o700)
    give(folder, server.account)
    copy = ["--host", server.folder, "--username", server.user, "--write-recovery-conf"]
    copied = _run(server, "pg_basebackup", "--pgdata", f"{folder}/data", "-c", "fast", *copy)
    assert copied.wait(PATIENCE) == 0
    process = _run(server, "postgres", "-D", f"{folder}/data", "-k", str(folder), *OPTIONS)
    url = f"postgresql://{server.user}@{quote(str(folder), safe='')}/novitai"
    try:
        eventually(lambda: _answers(url), "the replica answers")
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


def promote(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_promote()")


def _run(server: OwnServer, program: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [str(bin_folder() / program), *arguments]
    return spawn(command, server.account, output=2, needs_name=True)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
