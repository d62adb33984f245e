"""Job types: what runs a job, how many at once, how long, and how often it is tried."""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

from jobs.errors import UnknownJobType
from jobs.models import Job
from jobs.outcomes import Outcome

W = TypeVar("W")
U_co = TypeVar("U_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")

FOREVER = 32_767


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter: first, first x 2, x 4 ... up to ``longest``.

    ``jitter`` is the share of the delay that chance may add or take, so that what failed together
    does not come back together.
    """

    max_attempts: int = 5
    first: timedelta = timedelta(seconds=2)
    longest: timedelta = timedelta(minutes=5)
    jitter: float = 0.2

    def delay(self, attempt: int) -> timedelta:
        """Wait after the given attempt, counted from 1."""
        plain = self.first * 2.0 ** min(attempt - 1, 30)
        chance = random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - no secret
        return min(plain, self.longest) * chance


@dataclass(frozen=True, slots=True)
class WorkItem(Generic[U_co]):
    """Jobs that share a call: one for a call of its own, many for a listing."""

    jobs: Sequence[Job]
    work: U_co


@dataclass(frozen=True, slots=True)
class CompletedCall(Generic[U_co, R_co]):
    """A work item and the result of its call; only jobs that are still ours."""

    jobs: Sequence[Job]
    work: U_co
    result: R_co


@dataclass(frozen=True, slots=True)
class Resolved:
    """Jobs that need no call: the outcome is known from the database alone."""

    outcomes: Mapping[int, Outcome]


class Handler(ABC, Generic[W, R]):
    """A job type's work in three paragraphs; each may run twice for the same job.

    load: read what the batch needs, in one query if possible; may commit small writes of its own,
    guarded by ``leasing.lock_owned``. call: the network, in a thread; no database, no transaction.
    apply: write what was learnt, inside the transaction that ends the job; the job rows are
    locked and still ours.
    """

    @abstractmethod
    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[W] | Resolved]: ...

    @abstractmethod
    def call(self, work: W) -> R: ...

    def record_usage(self, calls: Sequence[tuple[W, R]]) -> None:
        """Write what calls cost, for all that have finished, before they are applied.

        Outside of apply's transaction: rows that everybody writes would be locked through it.
        """

    @abstractmethod
    def apply(self, jobs: Sequence[Job], work: W, result: R) -> Mapping[int, Outcome]: ...

    def apply_all(self, calls: Sequence[CompletedCall[W, R]]) -> Mapping[int, Outcome]:
        """Apply what has finished together; a handler overrides this to write in bulk.

        If it raises, nothing of it is kept and each call is applied by itself.
        """
        outcomes: dict[int, Outcome] = {}
        for call in calls:
            outcomes |= self.apply(call.jobs, call.work, call.result)
        return outcomes

    def on_give_up(self, job: Job, error: str) -> None:
        """Hear, in the same transaction, that the job failed for good."""

    def is_cancellable(self, job: Job) -> bool:
        """Whether the job may be cancelled; not unless the handler says what becomes of it."""
        return False

    def on_cancel(self, job: Job) -> None:
        """Hear, in the same transaction, that the job was cancelled; its call may still go on."""

    # What an operator reads where a failed job cannot be set going again.
    instead_of_redrive = "It has nothing left to do, or another job does the same work."

    def is_redrivable(self, job: Job) -> bool:
        """Whether an operator may set a failed job going again."""
        return True

    def on_redrive(self, job: Job) -> None:
        """Hear, in the same transaction, that a failed job goes again."""


@dataclass(frozen=True, slots=True)
class JobType:
    """How jobs of a name are run.

    batch_size: rows handed to a worker at once. max_in_flight: rows being worked on over all
    processes, exactly. run_limit: how long the heartbeat extends a lease before the worker process
    is ended. commit_size: work items of one job that may share a transaction when they are applied.
    is_recurring: one row lives for ever, answering "again"; clusters make it at their start.
    runs_at_start: and it is due then, whatever it answered last.
    """

    name: str
    handler: Handler[Any, Any]
    batch_size: int = 50
    max_in_flight: int = 100
    run_limit: timedelta = timedelta(minutes=2)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    commit_size: int = 50
    is_recurring: bool = False
    runs_at_start: bool = False


_types: dict[str, JobType] = {}


def register_type(job_type: JobType) -> None:
    """Make a type known to this process; the last registration of a name counts."""
    _types[str(job_type.name)] = job_type


def get_type(name: str) -> JobType:
    """The type of that name. Raises UnknownJobType."""
    try:
        return _types[name]
    except KeyError:
        raise UnknownJobType(f"No job type is registered as {name}.") from None


def all_types() -> Sequence[JobType]:
    return tuple(_types.values())
