"""Handlers record their runs without the database: they append lines to a file.

A short write to a file opened with O_APPEND is not mixed with the writes of others.
time.monotonic_ns is CLOCK_MONOTONIC, the same in every process of the machine.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "BENCH_MARKS"
_descriptors: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Marker:
    """Job ``number`` was seen at ``at`` (nanoseconds)."""

    number: int
    at: int


def now() -> int:
    """Nanoseconds, comparable between the processes of this machine."""
    return time.monotonic_ns()


def put_marker(numbers: Iterable[int]) -> None:
    """Record that these jobs have reached this line now."""
    at = now()
    os.write(_descriptor(), "".join(f"{number} {at}\n" for number in numbers).encode())


def release_file() -> Path:
    """Handlers hang as long as this file does not exist."""
    return Path(os.environ[VARIABLE] + ".release")


def read_markers(path: Path) -> list[Marker]:
    """In the order in which they were written."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    return [
        Marker(int(number), int(at)) for number, _, at in (line.partition(" ") for line in lines)
    ]


def _descriptor() -> int:
    path = os.environ[VARIABLE]
    if path not in _descriptors:
        _descriptors[path] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    return _descriptors[path]
