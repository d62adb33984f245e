"""What the cluster's tests let it run. Each of them must have the import of no test."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs import counters
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Done, Outcome

Payload = dict[str, Any]


class Noop(Handler[Payload, None]):
    """Done at once; counts, in the transaction that ends it, how often that happened."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Payload] | Resolved]:
        return [WorkItem([job], job.payload) for job in jobs]

    def call(self, work: Payload) -> None:
        return None

    def apply(self, jobs: Sequence[Job], work: Payload, result: None) -> Mapping[int, Outcome]:
        if "count" in work:
            counters.count(work["count"])
        return {job.pk: Done() for job in jobs}


class Hanging(Noop):
    """Never done, unless its process ends."""

    def call(self, work: Payload) -> None:
        threading.Event().wait()


class Gated(Noop):
    """Done once the file that it is told of exists."""

    def call(self, work: Payload) -> None:
        while not Path(work["gate"]).exists():
            time.sleep(0.02)


class Poison(Noop):
    """Takes its whole process with it."""

    def call(self, work: Payload) -> None:
        os._exit(1)


class Logged(Noop):
    """Writes its number to a file that all workers append to."""

    def call(self, work: Payload) -> None:
        log = os.open(work["log"], os.O_APPEND | os.O_WRONLY)
        os.write(log, f"{work['number']}\n".encode())
        os.close(log)


BY_NAME: dict[str, Handler[Any, Any]] = {
    "noop": Noop(),
    "hanging": Hanging(),
    "gated": Gated(),
    "poison": Poison(),
    "logged": Logged(),
}
