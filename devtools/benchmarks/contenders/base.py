"""What every contender is to the measures: worker commands on one side, a client on the other."""

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

WORKERS = 2

# What a job can be. ``noop`` does nothing, and is one job a message where there are batches too;
# ``batched`` does nothing to 200 rows at once; ``commit`` writes a row in a transaction of its
# own; ``mark`` says when it ran; ``hang`` says so too and then waits for the release file.
NOOP, BATCHED, COMMIT, MARK, HANG = "noop", "batched", "commit", "mark", "hang"
BATCH = 200


class Client(Protocol):
    """Works the contender's queue, in a process of its own (``devtools.benchmarks.driver``)."""

    def prepare(self) -> None:
        """Make the schema; the database is new."""

    def clear(self) -> None:
        """Empty the queue."""

    def fill(self, task: str, count: int) -> None:
        """Make this many jobs due at once, numbered from 0, as fast as can be: not measured."""

    def enqueue(self, task: str, number: int) -> None:
        """As an application would; committed when this returns."""

    def enqueue_many(self, task: str, count: int) -> None:
        """The contender's own idiom for many at once."""

    def is_drained(self, task: str) -> bool: ...


@dataclass(frozen=True)
class Contender:
    """A system that runs jobs. ``drains``: jobs per task in a round, a few seconds' worth."""

    name: str
    title: str
    client: str
    commands: Sequence[Sequence[str]]
    drains: Mapping[str, int]
    settings: Sequence[str]
    needs: Sequence[str] = ()
    uses_redis: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    can_enqueue: bool = True
    can_mark: bool = True

    def missing(self) -> str | None:
        """Why it cannot run here; None when it can."""
        absent = [name for name in self.needs if importlib.util.find_spec(name) is None]
        return f"not installed: {', '.join(absent)}" if absent else None


def python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)
