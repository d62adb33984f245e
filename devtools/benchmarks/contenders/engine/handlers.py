"""What the engine's jobs do, as a handler of the service would be written."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from devtools.benchmarks.contenders.effects import INSERT
from devtools.benchmarks.marks import mark, release_file
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Done, Outcome

FLOOD, TALKER, ONCE, STALE = "flood", "talker", "once", "stale"
TALK_SECONDS = 0.05
HANG_SECONDS = 10.0
STALE_SECONDS = 4.0


class Noop(Handler[Any, Any]):
    """Each job a unit of its own, done at once."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Any] | Resolved]:
        return [WorkItem([job], job.payload) for job in jobs]

    def call(self, work: Any) -> Any:
        return None

    def apply(self, jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        return {job.pk: Done() for job in jobs}


class Batched(Noop):
    """The whole batch is one unit."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Any] | Resolved]:
        return [WorkItem(jobs, None)]


class Commit(Noop):
    """Writes a row for each job in a transaction of its own."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Any] | Resolved]:
        with connection.cursor() as cursor:
            for job in jobs:
                cursor.execute(INSERT, [job.payload["n"]])
        return [Resolved({job.pk: Done() for job in jobs})]


class Mark(Noop):
    """Says when it started."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Any] | Resolved]:
        mark(job.payload["n"] for job in jobs)
        return [Resolved({job.pk: Done() for job in jobs})]


class Hang(Noop):
    """Says when it started, and never ends unless the release file is there."""

    def call(self, work: Any) -> Any:
        mark([work["n"]])
        while not release_file().exists():
            time.sleep(0.2)


class Talker(Noop):
    """Talks for 50 ms, or hangs for 10 s where its payload says so; says when it is through."""

    def call(self, work: Any) -> Any:
        time.sleep(HANG_SECONDS if work.get("hang") else TALK_SECONDS)
        if not work.get("hang"):
            mark([work["n"]])


class Once(Batched):
    """Says of every job that it ran."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Any] | Resolved]:
        mark(job.payload["n"] for job in jobs)
        return super().load(jobs)


class Stale(Hang):
    """Hangs long enough to be frozen in it, then writes a row together with its job's end."""

    def call(self, work: Any) -> Any:
        mark([work["n"]])
        time.sleep(STALE_SECONDS)

    def apply(self, jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [work["n"]])
        return super().apply(jobs, work, result)
