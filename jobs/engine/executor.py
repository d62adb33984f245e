"""What a worker process of the cluster executes: batches through load and talk to the keeper.

The worker's main thread starts a batch, loads it and hands its units to the threads of its type,
then takes the next message: nobody waits for the slowest item. Each type has threads of its own,
so that a type that hangs fills only those. The keeper thread applies what has finished
(``keeper``), a heartbeat thread keeps the leases alive (``heartbeat``).
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection

from jobs import registry
from jobs.engine import completer, heartbeat, leasing, shared_memory
from jobs.engine.claim import Claimer
from jobs.engine.completer import Completer, Finished
from jobs.engine.heartbeat import RunDeadline
from jobs.models import Job
from jobs.outcomes import Outcome, Released
from jobs.registry import Handler, JobType, Resolved, WorkItem

logger = structlog.get_logger()

DRAIN_SECONDS = 5.0
START_ATTEMPTS = 5
# A worker with as many batches of a type at hand, and work for twice its threads, lets the others
# have the rest.
MOST_BATCHES = 4
LOOK_SECONDS = 0.002
# How long a row on its last chance waits for the process to be empty of others.
ALONE_SECONDS = 30.0
ALONE_LATER = timedelta(seconds=2)


class Executor:
    """The threads and the live rows of one worker process. Made after the fork, never before.

    threads: talks at once of one type, where the type's cap is not lower.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._backlog: dict[str, JobType] = {}
        self._name = heartbeat.worker_name()
        self._claimer = Claimer(self._name)
        self.live = heartbeat.LiveJobs()
        self.keeper = Completer(self.live)
        self._begin()

    def _begin(self) -> None:
        """Start what goes on beside the work, for the life of the process."""
        heartbeat.start(self.live)
        self.keeper.start()

    def run(self, leases: Sequence[tuple[int, int]]) -> None:
        """Start a batch of one type, and go on with every type that has a backlog."""
        jobs = self._start(leases)
        if jobs:
            job_type = registry.get(jobs[0].type)
            self._work(job_type, jobs)
            if len(jobs) >= job_type.batch_size:
                self._backlog[job_type.name] = job_type
        self._go_on()

    def _go_on(self) -> None:
        """Claim for itself, a batch of each type in turn, until there is no backlog or a message
        waits: it may be urgent. What is left then is gone on with after it.
        """
        while self._backlog and shared_memory.is_task_taken() and not shared_memory.is_stopping():
            with_room = [each for each in self._backlog.values() if self._has_room(each)]
            for job_type in with_room:
                jobs = self._help_itself(job_type)
                self._work(job_type, jobs)
                if len(jobs) < job_type.batch_size:
                    del self._backlog[job_type.name]
                    shared_memory.leave_off()
            if not with_room:
                time.sleep(LOOK_SECONDS)

    def _has_room(self, job_type: JobType) -> bool:
        most = max(MOST_BATCHES * job_type.batch_size, 2 * self._threads)
        return self.live.count(job_type.name) <= most - job_type.batch_size

    def run_alone(self, lease: tuple[int, int]) -> None:
        """Run what may kill the process, at its last chance, while nothing else is in it.

        A culprit then dies by itself, and a bystander of earlier deaths gets through. One worker
        of a cluster at a time: the others are needed for everything else.
        """
        if not shared_memory.may_work_alone(ALONE_SECONDS):
            leasing.release([lease], after=ALONE_LATER)
            return
        try:
            self._wait_until_empty(ALONE_SECONDS, keeping=dict([lease]))
            if shared_memory.is_stopping():
                leasing.release([lease])
            elif jobs := self._start([lease]):
                job_type = registry.get(jobs[0].type)
                seconds = job_type.run_limit.total_seconds()
                shared_memory.work_alone(seconds)
                self._work(job_type, jobs)
                self._wait_until_empty(seconds)
        finally:
            shared_memory.work_alone(0)

    def _wait_until_empty(self, seconds: float, keeping: Mapping[int, int] | None = None) -> None:
        """``keeping``: leases without a heartbeat, which must not lapse meanwhile."""
        now = time.monotonic()
        deadline, renewed_at = now + seconds, now
        while self.live.jobs() and now < deadline and not shared_memory.is_stopping():
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if keeping and now - renewed_at > leasing.LEASE.total_seconds() / 3:
                leasing.renew(keeping)
                renewed_at = now

    def _help_itself(self, job_type: JobType) -> Sequence[Job]:
        try:
            return self._claimer.start(job_type)
        except (OperationalError, InterfaceError) as error:
            logger.warning("claim_failed", error=str(error))
            connection.close()
            return []

    def _start(self, leases: Sequence[tuple[int, int]]) -> Sequence[Job]:
        """Rows that cannot be started would lie idle until their lease lapses: try again first."""
        for attempt in range(START_ATTEMPTS):
            try:
                return leasing.start(leases, self._name)
            except (OperationalError, InterfaceError) as error:
                logger.warning("jobs_start_failed", error=str(error), attempt=attempt + 1)
                connection.close()
                time.sleep(0.1 * (attempt + 1))
        return []

    def _work(self, job_type: JobType, jobs: Sequence[Job]) -> None:
        """Load, and hand each unit on. What is started is live from here until it is written."""
        if not jobs:
            return
        self.live.add(jobs, run_limit=job_type.run_limit)
        for part in self._load(job_type.handler, jobs):
            if isinstance(part, WorkItem):
                self._submit(job_type, part)
            elif chosen := [job for job in jobs if job.pk in part.outcomes]:
                self.keeper.put(Finished(chosen, job_type.handler, outcomes=part.outcomes))

    def _load(
        self, handler: Handler[Any, Any], jobs: Sequence[Job]
    ) -> Sequence[WorkItem[Any] | Resolved]:
        try:
            parts = handler.load(jobs)
        except Exception as error:  # noqa: BLE001 - the one place, with _talk and the keeper
            return [Resolved({job.pk: completer.failure(error) for job in jobs})]
        covered = {pk for part in parts for pk in _job_ids(part)}
        left = [job for job in jobs if job.pk not in covered]
        return [*parts, Resolved(completer.forgotten(left))]

    def _submit(self, job_type: JobType, unit: WorkItem[Any]) -> None:
        if job_type.name not in self._pools:
            threads = min(self._threads, job_type.max_in_flight)
            self._pools[job_type.name] = ThreadPoolExecutor(threads, f"talk-{job_type.name}")
        span = self.live.waits(unit.jobs)
        self._pools[job_type.name].submit(self._talk, job_type, unit, span)

    def _talk(self, job_type: JobType, unit: WorkItem[Any], span: RunDeadline) -> None:
        handler = job_type.handler
        if shared_memory.is_stopping():
            given_back: dict[int, Outcome] = {job.pk: Released() for job in unit.jobs}
            self.keeper.put(Finished(unit.jobs, handler, outcomes=given_back))
            return
        span.begin(job_type.run_limit.total_seconds())
        bound = {"job_id": unit.jobs[0].public_id, "request_id": unit.jobs[0].request_id}
        try:
            with structlog.contextvars.bound_contextvars(**bound):
                result = handler.talk(unit.work)
            finished = Finished(unit.jobs, handler, unit.work, result)
        except Exception as error:  # noqa: BLE001 - see _load
            outcomes = {job.pk: completer.failure(error) for job in unit.jobs}
            finished = Finished(unit.jobs, handler, outcomes=outcomes)
        self.keeper.put(finished)

    def stop(self) -> None:
        """Let what is under way finish for some seconds, then give the rest back unharmed."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.live.jobs() and time.monotonic() < deadline:
            time.sleep(0.05)
        completer.release(self.live.jobs())


def _job_ids(part: WorkItem[Any] | Resolved) -> Iterable[int]:
    return part.outcomes if isinstance(part, Resolved) else [job.pk for job in part.jobs]
