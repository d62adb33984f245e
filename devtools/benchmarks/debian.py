"""Unpacks a program of Debian for the benchmark in its own folder, without installing it.

Needs no root and does not change the machine; works on systems with apt.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from devtools.benchmarks.remote import BenchError

DEBIAN_FOLDER = Path(".venv-bench/debian")
_FETCH_SECONDS = 120


def fetch(package: str, folder: Path) -> None:
    """Unpack a package and its missing dependencies. Raises BenchError."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise BenchError(f"there is no {package}, and no apt to get it with")
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    try:
        _download(package, archives)
        for archive in sorted(archives.glob("*.deb")):
            _run(["dpkg-deb", "--extract", os.fspath(archive), os.fspath(folder)])
    except BenchError:
        # The next run would take an incomplete folder for a complete one.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(archives)


def _download(package: str, archives: Path) -> None:
    """With the machine's package lists; if there are none, with lists of our own."""
    ours = ["-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=1"]
    install = ["install", "--yes", "--download-only", "--no-install-recommends", package]
    try:
        _run(["apt-get", *ours, *install])
    except BenchError:
        lists = archives.parent / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        ours += ["-o", f"Dir::State::lists={lists}"]
        ours += ["-o", f"Dir::Cache={archives.parent}", "-o", "APT::Sandbox::User="]
        _run(["apt-get", *ours, "update"])
        _run(["apt-get", *ours, *install])
        shutil.rmtree(lists)


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [str(error)])[-1]
        raise BenchError(f"{command[0]}: {last}") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{command[0]} did not end in {_FETCH_SECONDS} s") from error
