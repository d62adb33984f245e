"""A worker process within this one: the real runner, whose threads are steps to be taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from django.db import OperationalError, connection

from jobs.cluster import broker
from jobs.engine import leasing, outcome_writer
from jobs.engine.claim import Claimer, Lease
from jobs.engine.completer import Finished
from jobs.engine.executor import Executor
from jobs.models import Job
from jobs.registry import JobType, WorkItem

Step = Callable[[], None]


class SimulatedWorker(Executor):
    """Claims, starts, talks and writes when it is told to; nothing runs beside it."""

    def __init__(self, name: str, random: Random, at: Callable[[str], None]) -> None:
        super().__init__(threads=4)
        self._at = at
        self.name = self._name = name
        self.frozen_until_ms = 0
        self._claimer = Claimer(name)
        self._random = random
        self._inbox: list[Sequence[Lease]] = []
        self._talks: list[tuple[JobType, WorkItem[Any]]] = []
        self._unwritten: list[Finished] = []

    def steps(self) -> Mapping[str, Step]:
        """What it could do now, besides claiming."""
        can = {
            "start": (self._start_one, bool(self._inbox)),
            "talk": (self._talk_one, bool(self._talks)),
            "write": (self._write_all, bool(self._unwritten) or not self.keeper._finished.empty()),
        }
        return {name: step for name, (step, is_possible) in can.items() if is_possible}

    def claim(self) -> list[Lease]:
        """What the pusher of its cluster would hand to it; buries what died too often.

        A pusher that the database refuses tries again, as this one is asked to.
        """
        try:
            leases = sorted(self._claimer.claim(), key=lambda lease: lease.job_id)
            spent = [lease for lease in leases if lease.is_suspect and lease.is_exhausted]
            outcome_writer.fail_exhausted(spent)
        except OperationalError:
            connection.close()
            return []
        self._inbox += broker.batches([lease for lease in leases if lease not in spent])
        return leases

    def beat(self) -> None:
        """What the heartbeat thread does for the leases."""
        if tokens := self.live.tokens():
            leasing.renew(tokens)

    def _start_one(self) -> None:
        batch = self._inbox.pop(self._random.randrange(len(self._inbox)))
        self.run([(lease.job_id, lease.token) for lease in batch])

    def _talk_one(self) -> None:
        self._at("worker.before_talk")
        job_type, unit = self._talks.pop(self._random.randrange(len(self._talks)))
        self._talk(job_type, unit, self.live.waits(unit.jobs))

    def _write_all(self) -> None:
        """What the keeper does; what the database did not take stays for the next time."""
        self._at("worker.before_write")
        while not self.keeper._finished.empty():
            self._unwritten.append(self.keeper._finished.get())
        self.keeper.write(self._unwritten)

    # The parts of Runner that are threads

    def _begin(self) -> None:
        """No heartbeat and no keeper beside the steps."""

    def _submit(self, job_type: JobType, unit: WorkItem[Any]) -> None:
        self._talks.append((job_type, unit))

    def _go_on(self) -> None:
        """One batch at a time."""

    def _start(self, leases: Sequence[tuple[int, int]]) -> Sequence[Job]:
        """In one order, whatever the server's: a run must be the same when it is run again."""
        return sorted(super()._start(leases), key=lambda job: (-job.priority, job.due, job.id))
