"""The common interface of all competitors: commands of the workers, and a client of the queue."""

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

WORKERS = 2

# Kinds of jobs. ``noop`` does nothing, in a message of its own even if the competitor has batches;
# ``batched`` does nothing to 200 rows at once; ``commit`` writes a row in a transaction of its own;
# ``mark`` records its start; ``hang`` records it too, then waits for the release file.
NOOP, BATCHED, COMMIT, MARK, HANG = "noop", "batched", "commit", "mark", "hang"
BATCH = 200


class Client(Protocol):
    """Operates the competitor's queue, in a process of its own (``devtools.benchmarks.driver``)."""

    def prepare(self) -> None:
        """Create the schema in a new database."""

    def clear(self) -> None:
        """Empty the queue."""

    def fill(self, task: str, count: int) -> None:
        """Add ``count`` due jobs, numbered from 0, as fast as possible: not measured."""

    def enqueue(self, task: str, number: int) -> None:
        """Like an application; committed when this returns."""

    def enqueue_many(self, task: str, count: int) -> None:
        """The competitor's usual way to enqueue many jobs."""

    def is_drained(self, task: str) -> bool: ...


@dataclass(frozen=True)
class Competitor:
    """A system that runs jobs. ``drains``: jobs of each kind in a round, for a few seconds."""

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
        """The reason why it cannot run here; None if it can."""
        absent = [name for name in self.needs if importlib.util.find_spec(name) is None]
        return f"not installed: {', '.join(absent)}" if absent else None


def python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)
