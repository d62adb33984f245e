"""Bugs planted on purpose: the suite must find each of them, or it proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

from instances.handlers import termination_results
from instances.provisioning import results
from instances.provisioning.submit import SubmitResult
from instances.reconciliation import duplicates
from jobs.engine import leasing
from jobs.models import Job
from jobs.outcomes import Done, Outcome

Mutation = Callable[[], AbstractContextManager[None]]


@contextmanager
def create_again_without_searching() -> Iterator[None]:
    """A create whose answer was lost counts as one that never happened."""

    def forget(job: Job, instance: object, error: object) -> Outcome:
        return results._not_created(job, instance, SubmitResult())

    with patch.object(results, "_doubt", forget):
        yield


@contextmanager
def no_fencing_token() -> Iterator[None]:
    """Whoever was once given a row may write for it, whoever has it now."""

    def all_of_them(jobs: Sequence[Job]) -> set[int]:
        return {job.id for job in jobs}

    with patch.object(leasing, "lock_owned", all_of_them):
        yield


@contextmanager
def absence_is_a_decision() -> Iterator[None]:
    """What was not seen for a while is ended once it is seen again."""
    with patch.object(duplicates, "is_end_decided", lambda instance: True):
        yield


@contextmanager
def no_read_after_a_delete() -> Iterator[None]:
    """A delete that was taken counts as an end."""
    evaluate = termination_results._evaluate

    def trust(ending, attempt, work, result, now):
        if attempt.is_deleted:
            ending.confirmed_at = now
            return Done()
        return evaluate(ending, attempt, work, result, now)

    with patch.object(termination_results, "_evaluate", trust):
        yield
