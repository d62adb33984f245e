"""Job types: their handler, limits of concurrency and run time, and retry policy."""

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

# The largest number of its column.
ATTEMPTS_WITHOUT_LIMIT = 32_767


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter: first, first x 2, x 4 ... up to ``longest``.

    ``jitter`` is the share of the delay by which it varies at random, so that jobs that failed
    together are not retried together.
    """

    max_attempts: int = 5
    first: timedelta = timedelta(seconds=2)
    longest: timedelta = timedelta(minutes=5)
    jitter: float = 0.2

    def delay(self, attempt: int) -> timedelta:
        """Delay after the given attempt, counted from 1."""
        plain = self.first * 2.0 ** min(attempt - 1, 30)
        chance = random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - no secret
        return min(plain, self.longest) * chance


@dataclass(frozen=True, slots=True)
class WorkItem(Generic[U_co]):
    """Jobs that share one call: usually one job; many for a listing."""

    jobs: Sequence[Job]
    work: U_co


@dataclass(frozen=True, slots=True)
class CompletedCall(Generic[U_co, R_co]):
    """A work item and the result of its call; ``jobs`` are those whose lease is still ours."""

    jobs: Sequence[Job]
    work: U_co
    result: R_co


@dataclass(frozen=True, slots=True)
class Resolved:
    """Jobs that need no call: the database alone gives their outcomes (by job pk)."""

    outcomes: Mapping[int, Outcome]


class Handler(ABC, Generic[W, R]):
    """The work of a job type in three steps; each may run twice for the same job.

    load: read what the batch needs, in one query if possible; may commit small writes of its own,
    guarded by ``leasing.lock_owned``. call: the network, in a thread; no database, no transaction.
    apply: write the result, in the transaction that ends the job; the job rows are locked and their
    leases are still ours.
    """

    @abstractmethod
    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[W] | Resolved]: ...

    @abstractmethod
    def call(self, work: W) -> R: ...

    def record_usage(self, calls: Sequence[tuple[W, R]]) -> None:
        """Record the upstream usage of finished calls, before they are applied.

        Not in apply's transaction: that would keep rows locked that all workers write.
        """

    @abstractmethod
    def apply(self, jobs: Sequence[Job], work: W, result: R) -> Mapping[int, Outcome]: ...

    def apply_all(self, calls: Sequence[CompletedCall[W, R]]) -> Mapping[int, Outcome]:
        """Apply calls that finished together; override it to write in bulk.

        If it raises, its writes are rolled back and each call is applied alone.
        """
        outcomes: dict[int, Outcome] = {}
        for call in calls:
            outcomes |= self.apply(call.jobs, call.work, call.result)
        return outcomes

    def on_give_up(self, job: Job, error: str) -> None:
        """Called in the transaction in which the job fails for good."""

    def is_cancellable(self, job: Job) -> bool:
        """True if the job may be cancelled. A handler that allows it defines ``on_cancel``."""
        return False

    def on_cancel(self, job: Job) -> None:
        """Called in the transaction that cancels the job; its call may still be running."""

    # Shown to operators in place of the Retry button if a failed job cannot be redriven.
    instead_of_redrive = "It has nothing left to do, or another job does the same work."

    def is_redrivable(self, job: Job) -> bool:
        """True if an operator may run the failed job again."""
        return True

    def on_redrive(self, job: Job) -> None:
        """Called in the transaction that redrives a failed job."""


@dataclass(frozen=True, slots=True)
class JobType:
    """How jobs of this type are run.

    batch_size: most rows in one claim of a worker. max_in_flight: most rows in flight in all
    processes together, exactly. run_limit: time for which the heartbeat extends a lease; then the
    worker process ends. commit_size: most single-job work items that share a transaction when
    applied. is_fair: keys (``Job.fair_key``) take turns and have shares of max_in_flight.
    is_recurring: one row lives for ever and always answers Again; clusters create it when
    they start. runs_at_start: that row is made due at each start.
    """

    name: str
    handler: Handler[Any, Any]
    batch_size: int = 50
    max_in_flight: int = 100
    run_limit: timedelta = timedelta(minutes=2)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    commit_size: int = 50
    is_fair: bool = False
    is_recurring: bool = False
    runs_at_start: bool = False


_types: dict[str, JobType] = {}


def register_type(job_type: JobType) -> None:
    """Register a type in this process; a later registration of the name replaces it."""
    _types[str(job_type.name)] = job_type


def get_type(name: str) -> JobType:
    """The type of that name. Raises UnknownJobType."""
    try:
        return _types[name]
    except KeyError:
        raise UnknownJobType(f"No job type is registered as {name}.") from None


def all_types() -> Sequence[JobType]:
    return tuple(_types.values())
