from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from jobs.models import Job
from jobs.outcomes import Done, Outcome
from jobs.registry import Decided, Handler, Unit


class Noop(Handler[None, None]):
    """Done at once."""

    def load(self, jobs: Sequence[Job]) -> Sequence[Unit[None] | Decided]:
        return [Unit([job], None) for job in jobs]

    def talk(self, work: None) -> None:
        return None

    def apply(self, jobs: Sequence[Job], work: None, result: None) -> Mapping[int, Outcome]:
        return {job.pk: Done() for job in jobs}


class Hanging(Noop):
    """Never done, unless its process ends."""

    def talk(self, work: None) -> None:
        threading.Event().wait()
