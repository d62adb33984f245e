"""Handlers of the engine's jobs, written like those of the service."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from devtools.benchmarks.competitors.effects import INSERT
from devtools.benchmarks.markers import put_marker, release_file
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Done, Outcome

FLOOD, TALKER, ONCE, STALE = "flood", "talker", "once", "stale"
TALK_SECONDS = 0.05
HANG_SECONDS = 10.0
STALE_SECONDS = 4.0


class Noop(Handler[Any, Any]):
    """Each job is a work item of its own, done at once."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Any] | Resolved]:
        return [WorkItem([job], job.payload) for job in jobs]

    def call(self, work: Any) -> Any:
        return None

    def apply(self, jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        return {job.pk: Done() for job in jobs}


class Batched(Noop):
    """The whole batch is one work item."""

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
    """Records its start."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Any] | Resolved]:
        put_marker(job.payload["n"] for job in jobs)
        return [Resolved({job.pk: Done() for job in jobs})]


class Hang(Noop):
    """Records its start, and hangs until the release file exists."""

    def call(self, work: Any) -> Any:
        put_marker([work["n"]])
        while not release_file().exists():
            time.sleep(0.2)


class Talker(Noop):
    """Calls for 50 ms, or hangs for 10 s if its payload says so; records the short calls."""

    def call(self, work: Any) -> Any:
        time.sleep(HANG_SECONDS if work.get("hang") else TALK_SECONDS)
        if not work.get("hang"):
            put_marker([work["n"]])


class Once(Batched):
    """Records each run of a job."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Any] | Resolved]:
        put_marker(job.payload["n"] for job in jobs)
        return super().load(jobs)


class Stale(Hang):
    """Hangs long enough to be frozen meanwhile, then writes a row together with its job's end."""

    def call(self, work: Any) -> Any:
        put_marker([work["n"]])
        time.sleep(STALE_SECONDS)

    def apply(self, jobs: Sequence[Job], work: Any, result: Any) -> Mapping[int, Outcome]:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [work["n"]])
        return super().apply(jobs, work, result)
