"""The job engine driven by hand: real queue, real executor, no thread beside the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from jobs.engine.executor import Executor
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Done, Outcome


class ScriptedHandler(Handler[Any, Any]):
    """Does what its hooks say; without any, every job of it is simply done."""

    def __init__(
        self,
        *,
        load: Callable[[Sequence[Job]], Sequence[WorkItem[Any] | Resolved]] | None = None,
        call: Callable[[Any], Any] = lambda work: work,
        apply: Callable[[Sequence[Job], Any, Any], Mapping[int, Outcome]] | None = None,
        on_give_up: Callable[[Job, str], None] = lambda job, error: None,
        record_usage: Callable[[Sequence[Any]], None] = lambda calls: None,
        is_redrivable: bool = True,
        is_cancellable: bool = True,
        on_cancel: Callable[[Job], None] = lambda job: None,
    ) -> None:
        self._load, self._call, self._apply = load, call, apply
        self._on_give_up, self._record_usage = on_give_up, record_usage
        self._is_redrivable, self._is_cancellable = is_redrivable, is_cancellable
        self._on_cancel = on_cancel
        self.applied: list[int] = []
        self.redriven: list[int] = []

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Any] | Resolved]:
        return self._load(jobs) if self._load else [WorkItem([job], job.payload) for job in jobs]

    def call(self, work: Any) -> Any:
        return self._call(work)

    def apply(self, jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        self.applied += [job.pk for job in jobs]
        return self._apply(jobs, work, result) if self._apply else {job.pk: Done() for job in jobs}

    def record_usage(self, calls: Sequence[tuple[Any, Any]]) -> None:
        self._record_usage(calls)

    def on_give_up(self, job: Job, error: str) -> None:
        self._on_give_up(job, error)

    def is_redrivable(self, job: Job) -> bool:
        return self._is_redrivable

    def is_cancellable(self, job: Job) -> bool:
        return self._is_cancellable

    def on_cancel(self, job: Job) -> None:
        self._on_cancel(job)

    def on_redrive(self, job: Job) -> None:
        self.redriven.append(job.pk)


class InlinePool(futures.Executor):
    """Calls at once, in the thread that submits."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        fn(*args, **kwargs)
        return futures.Future()


class DrivenExecutor(Executor):
    """An executor whose completer and heartbeat are the test: nothing runs beside it."""

    def __init__(self, threads: int, **options: Any) -> None:
        options = {"make_pool": lambda threads, name: InlinePool(), **options}
        super().__init__(threads, **options)

    def run_once(self) -> list[str]:
        """One claim; the types that it took, in order."""
        claimed = self.claim()
        for batch in claimed.batches:
            self.work(batch)
        return sorted(job.type for job in claimed.jobs)

    def complete(self) -> None:
        """What the completer does with everything that has finished; trouble is the test's."""
        self.completer.write(self.completer.take())


def run_due() -> list[str]:
    """Claim what is due and run it once; the types that ran, in order."""
    executor = DrivenExecutor(threads=64, name="test")
    ran = executor.run_once()
    executor.complete()
    return ran


def make_due(**which: Any) -> int:
    """Let the future of these jobs be now."""
    return Job.objects.live().filter(**which).update(run_at=database_time())


def database_time(offset: timedelta = timedelta(0)) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now + offset
