"""Real processes that use a real server, for the tests of this folder."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from devtools.embedded_postgres.locks import is_held

PROJECT = Path(__file__).resolve().parents[3]
DEADLINE_SECONDS = 30.0
# Answers every line on stdin with the server that it connected to; lives until stdin ends.
_USER = """
import json, os, sys
from pathlib import Path
import psycopg
from devtools.embedded_postgres import ensure_running
def connect():
    info = ensure_running(Path(sys.argv[1]))
    with psycopg.connect(info.url) as connection:
        row = connection.execute("SELECT pg_postmaster_start_time()::text, current_database()")
        started, database = row.fetchone()
    print(json.dumps({"started": started, "database": database, "host": info.host}), flush=True)
connect()
for line in sys.stdin:
    if line == "fork\\n":
        child = os.fork()
        if child:
            print(json.dumps({"child": child}), flush=True)
            os._exit(0)
    else:
        connect()
"""


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def environment() -> dict[str, str]:
    """Ours, so that novitai is found and the settings of the outer test run are not."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO")}
    kept.pop("DATABASE_URL", None)
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(
            map(str, [PROJECT, *filter(None, [os.environ.get("PYTHONPATH")])])
        ),
    }


class UserProcess:
    """A program that called ensure_running and lives on."""

    def __init__(self, data_dir: Path, **popen_options: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _USER, os.fspath(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            **{"env": environment(), **popen_options},
        )

    def answer(self) -> dict[str, Any]:
        """The next line it says; fails with its stderr when it ended instead."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, self.failure()
        return json.loads(line)

    def connect_again(self) -> dict[str, Any]:
        self.tell("connect")
        return self.answer()

    def tell(self, word: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def failure(self) -> str:
        """What it wrote to stderr; waits for its end."""
        assert self._process.stderr
        return self._process.stderr.read()

    def end(self) -> None:
        """Let it end normally, if it has not."""
        self._process.communicate()

    def wait(self) -> None:
        """Until the process we started is dead; one that it forked may go on with its streams."""
        self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "cluster/postmaster.pid").read_text().splitlines()[0])


def keeper_pid(data_dir: Path) -> int:
    return int((data_dir / "keeper.lock").read_text().split()[0])


def kill(pid: int) -> None:
    """kill -9, and wait: until the process is dead it looks alive to everyone."""
    process = psutil.Process(pid)
    process.kill()
    assert eventually(lambda: not process.is_running() or process.status() == "zombie")


def processes_on(data_dir: Path) -> list[psutil.Process]:
    """Keepers and servers that name the folder on their command line, users excluded."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        names = any(word.startswith(os.fspath(data_dir)) for word in words)
        if names and "-c" not in words[1:2]:
            found.append(process)
    return found


def is_gone(data_dir: Path) -> bool:
    return not is_held(data_dir / "keeper.lock") and not processes_on(data_dir)
