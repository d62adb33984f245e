"""Kills its process, as a crash in a library or a lack of memory would."""

from collections.abc import Mapping, Sequence

from devtools.faults.real.poison.ways import WAYS
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Done, Outcome


class Poison(Handler[str, None]):
    """``way``: one of WAYS; ``step``: ``load`` (the main thread) or ``call`` (a pool's thread)."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[str] | Resolved]:
        for job in jobs:
            if job.payload["step"] == "load":
                WAYS[job.payload["way"]]()
        return [WorkItem([job], job.payload["way"]) for job in jobs]

    def call(self, work: str) -> None:
        WAYS[work]()

    def apply(self, jobs: Sequence[Job], work: str, result: None) -> Mapping[int, Outcome]:
        return {job.pk: Done() for job in jobs}
