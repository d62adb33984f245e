"""wrk, Debian's load generator in C: it uses little of the two cores."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from devtools.benchmarks.debian import fetch
from devtools.benchmarks.remote import BenchError

Found = tuple[float, float, float, int]
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)\s*$", re.MULTILINE)
_BAD = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


def find(unpacked: Path) -> tuple[str, str]:
    """The program, and the folder of its libraries unless it is installed.

    Raises BenchError.
    """
    installed = shutil.which("wrk")
    if installed:
        return installed, ""
    program = unpacked / "usr" / "bin" / "wrk"
    if not program.exists():
        fetch("wrk", unpacked)
    folders = sorted({os.fspath(found.parent) for found in unpacked.rglob("*.so*")})
    return os.fspath(program), ":".join(folders)


def script(folder: Path, key: str, body: str = "") -> Path:
    """A script for wrk: a GET, or a POST of this JSON."""
    lines = [f'wrk.headers["Authorization"] = "Bearer {key}"']
    if body:
        lines += ['wrk.method = "POST"', f"wrk.body = [[{body}]]"]
        lines += ['wrk.headers["Content-Type"] = "application/json"']
    path = folder / ("post.lua" if body else "get.lua")
    path.write_text("\n".join(lines) + "\n")
    return path


def run(program: tuple[str, str], url: str, path: Path, connections: int, seconds: int) -> Found:
    """Requests a second, median and 99th percentile in milliseconds, refusals.

    Raises BenchError.
    """
    command = [
        *(program[0], "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"),
        *("--timeout", "20s", "-s", os.fspath(path), url),
    ]
    libraries = {"LD_LIBRARY_PATH": program[1]} if program[1] else {}
    done = subprocess.run(
        command, env={**os.environ, **libraries}, capture_output=True, text=True, check=False
    )
    return parse(done.stdout)


def parse(output: str) -> Found:
    """Raises BenchError if this is not a report of wrk."""
    rate = _RATE.search(output)
    latency = {share: float(n) * _MILLISECONDS[unit] for share, n, unit in _LATENCY.findall(output)}
    if rate is None or set(latency) != {"50", "99"}:
        raise BenchError(f"wrk said {output.strip()[-300:]!r}")
    bad = _BAD.search(output)
    return float(rate[1]), latency["50"], latency["99"], int(bad[1]) if bad else 0
