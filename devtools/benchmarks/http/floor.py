"""The same transaction without a service: pgbench, from the embedded Postgres's programs."""

import os
import re
import subprocess
from pathlib import Path

from devtools.benchmarks.http import statements
from devtools.benchmarks.remote import BenchError
from devtools.benchmarks.servers import Postgres
from devtools.embedded_postgres.binaries import bin_folder

Found = tuple[float, float, float, int]
_TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_LATENCY = re.compile(r"^latency average = ([\d.]+) ms", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


def run(postgres: Postgres, database: str, clients: int, seconds: int, folder: Path) -> Found:
    """Transactions a second, and the average latency in place of both percentiles (pgbench has
    none). Raises BenchError.
    """
    path = folder / "floor.sql"
    path.write_text(statements.AS_PGBENCH)
    info = postgres.info
    command = [
        *(os.fspath(bin_folder() / "pgbench"), "--no-vacuum", "--file", os.fspath(path)),
        *("--client", str(clients), "--jobs", "1", "--time", str(seconds)),
        *("--host", str(info.host), "--port", str(info.port), "--username", str(info.user)),
        database,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    tps, latency, failed = (pattern.search(done.stdout) for pattern in (_TPS, _LATENCY, _FAILED))
    if tps is None or latency is None:
        raise BenchError(f"pgbench said {(done.stderr or done.stdout).strip()[-300:]!r}")
    average = float(latency[1])
    return float(tps[1]), average, average, int(failed[1]) if failed else 0
