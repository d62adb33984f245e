"""The main loop of a worker process: claim, load, and submit the calls to threads.

The main thread claims, loads each batch and submits its work items to the threads of its type,
without waiting for them. Each type has its own threads, so a type that hangs fills only those. The
completer thread writes finished items (``completer``), a heartbeat thread extends the leases
(``heartbeat``).
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from django.db import Error, connection

from jobs import counters
from jobs.engine import completer, heartbeat, leasing, outcome_writer, shared_memory
from jobs.engine.claim import Claimed, Claimer
from jobs.engine.completer import Completer, Finished
from jobs.engine.heartbeat import RunDeadline
from jobs.handler import Handler, JobType, Resolved, WorkItem, all_types, get_type
from jobs.models import Job
from jobs.outcomes import Outcome, Released

logger = structlog.get_logger()

DRAIN_SECONDS = 5.0
# A worker claims no more of a type with this many batches of it, and work for twice its threads.
MOST_BATCHES = 4
POLL_SECONDS = 0.002
POLL_ALL_SECONDS = 0.01
# How long a suspect at its last attempt waits until no other job is in the process.
ALONE_SECONDS = 30.0
ALONE_LATER = timedelta(seconds=2)

MakePool = Callable[[int, str], futures.Executor]


class Executor:
    """The threads and the live rows of one worker process. Create it after the fork, never before.

    threads: concurrent calls of one type, unless the type's cap is lower. wake: wakes an idle
    worker of this cluster. make_pool: creates the threads of one type, by number and name.
    sleep: how the main thread and the completer wait.
    """

    def __init__(
        self,
        threads: int,
        *,
        name: str = "",
        wake: Callable[[], None] = lambda: None,
        make_pool: MakePool = futures.ThreadPoolExecutor,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._threads = threads
        self._wake = wake
        self._make_pool = make_pool
        self._sleep = sleep
        self._pools: dict[str, futures.Executor] = {}
        self._claimer = Claimer(name or heartbeat.worker_name())
        self.live = heartbeat.LiveJobs()
        self.completer = Completer(self.live, wake, sleep)

    def begin(self) -> None:
        """Start the heartbeat and completer threads, which run as long as the process."""
        heartbeat.start(self.live)
        self.completer.start()

    def run_due(self) -> None:
        """Claim and start jobs until no claim has a full batch. The first full batch wakes another
        worker.

        While batches are full, the next claims are of these types only, which costs less; every 10
        ms one claim is of all types.
        """
        types, polled_at, is_helped = all_types(), time.monotonic(), False
        while types and not shared_memory.is_stopping():
            claimed = self.claim(types)
            types = claimed.full
            if types and not is_helped:
                self._wake()
                is_helped = True
            for batch in claimed.batches:
                self.work(batch)
            if types and time.monotonic() - polled_at > POLL_ALL_SECONDS:
                types, polled_at = all_types(), time.monotonic()

    def claim(self, of: Sequence[JobType] | None = None) -> Claimed:
        """Claim a batch of each type for which this process has room; nothing during a database
        error. Rows that are no suspects are live from here until their outcome is written.
        """
        shared_memory.worker_is_active()
        asked = all_types() if of is None else of
        types = [sized for each in asked if (sized := self._sized(each)) is not None]
        try:
            claimed = self._claimer.claim(types) if types else Claimed()
        except Error as error:
            logger.warning("claim_failed", error=str(error))
            connection.close()
            return Claimed()
        for batch in claimed.batches:
            if not batch[0].is_suspect:
                self.live.add(batch, run_limit=get_type(batch[0].type).run_limit)
        if claimed.is_cut or len(types) < len(asked):
            shared_memory.set_backlog()
        if claimed.lapsed:
            counters.try_to_count(counters.LEASES_LAPSED, claimed.lapsed)
        return claimed

    def _sized(self, asked: JobType) -> JobType | None:
        """The type with the batch that this process has room for; None if it has none.

        Of a fair type what is claimed begins at once: it must not wait for threads that hang. And
        the last free threads are used: a whole batch may be free in no process.
        """
        job_type = get_type(asked.name)
        live = self.live.count(job_type.name)
        if job_type.is_fair:
            room = min(self._threads, job_type.max_in_flight) - live
            batch = min(job_type.batch_size, room)
            return replace(job_type, batch_size=batch) if batch > 0 else None
        most = max(MOST_BATCHES * job_type.batch_size, 2 * self._threads)
        return job_type if live <= most - job_type.batch_size else None

    def work(self, batch: Sequence[Job]) -> None:
        """Load a batch of one type, or a single suspect, and submit its work items."""
        if batch[0].is_suspect:
            self._work_on_suspect(batch[0])
        else:
            self._load_and_submit(batch)

    def _load_and_submit(self, jobs: Sequence[Job]) -> None:
        job_type = get_type(jobs[0].type)
        for part in self._load(job_type.handler, jobs):
            if isinstance(part, WorkItem):
                self._submit(job_type, part)
            elif chosen := [job for job in jobs if job.pk in part.outcomes]:
                self.completer.put(Finished(chosen, job_type.handler, outcomes=part.outcomes))

    def _load(
        self, handler: Handler[Any, Any], jobs: Sequence[Job]
    ) -> Sequence[WorkItem[Any] | Resolved]:
        try:
            parts = handler.load(jobs)
        except Exception as error:  # noqa: BLE001 - the one place, with _call and the completer
            return [Resolved({job.pk: completer.failure(error) for job in jobs})]
        covered = {pk for part in parts for pk in _job_ids(part)}
        left = [job for job in jobs if job.pk not in covered]
        return [*parts, Resolved(completer.forgotten(left))]

    def _submit(self, job_type: JobType, item: WorkItem[Any]) -> None:
        if job_type.name not in self._pools:
            threads = min(self._threads, job_type.max_in_flight)
            self._pools[job_type.name] = self._make_pool(threads, f"call-{job_type.name}")
        deadline = self.live.waits(item.jobs)
        self._pools[job_type.name].submit(self._call, job_type, item, deadline)

    def _call(self, job_type: JobType, item: WorkItem[Any], deadline: RunDeadline) -> None:
        handler = job_type.handler
        if shared_memory.is_stopping():
            given_back: dict[int, Outcome] = {job.pk: Released() for job in item.jobs}
            self.completer.put(Finished(item.jobs, handler, outcomes=given_back))
            return
        deadline.begin(job_type.run_limit.total_seconds())
        began = time.monotonic()
        bound = {"job_id": item.jobs[0].public_id, "request_id": item.jobs[0].request_id}
        try:
            with structlog.contextvars.bound_contextvars(**bound):
                result = handler.call(item.work)
            finished = Finished(item.jobs, handler, item.work, result)
        except Exception as error:  # noqa: BLE001 - see _load
            outcomes = {job.pk: completer.failure(error) for job in item.jobs}
            finished = Finished(item.jobs, handler, outcomes=outcomes)
        finished.seconds = time.monotonic() - began
        self.completer.put(finished)

    # Suspects: rows that may have killed their worker

    def _work_on_suspect(self, job: Job) -> None:
        """Fail a suspect that used all its attempts; run it alone in the process at the last one.
        After any error it is left to its lease, and other jobs go on.
        """
        try:
            if job.attempts >= job.max_attempts:
                outcome_writer.fail_exhausted(job)
            elif job.attempts == job.max_attempts - 1:
                self._run_alone(job)
            else:
                self._run_suspect(job)
        except Exception as error:
            logger.exception("suspect_left_to_its_lease", job_id=job.public_id, type=job.type)
            if isinstance(error, completer.DatabaseTrouble):
                connection.close()

    def _run_suspect(self, job: Job) -> bool:
        """Start a suspect. False if the lease no longer belongs to this process."""
        started = leasing.start(job)
        if started is not None:
            self.live.add([started], run_limit=get_type(job.type).run_limit)
            self._load_and_submit([started])
        return started is not None

    def _run_alone(self, job: Job) -> None:
        """Run it while nothing else runs here: a culprit then dies alone, and an innocent job
        completes. Only one worker of a cluster does this at a time: the others are needed for all
        other jobs.
        """
        if not shared_memory.may_work_alone(ALONE_SECONDS):
            leasing.release(job, after=ALONE_LATER)
            return
        try:
            # Live while it waits, so that the heartbeat keeps its lease.
            self.live.add([job], run_limit=timedelta(seconds=2 * ALONE_SECONDS))
            self._wait_until_live(1, ALONE_SECONDS)
            self.live.discard([job])
            seconds = get_type(job.type).run_limit.total_seconds()
            shared_memory.work_alone(seconds)
            if shared_memory.is_stopping():
                leasing.release(job)
            elif self._run_suspect(job):
                self._wait_until_live(0, seconds)
        finally:
            shared_memory.work_alone(0)

    def _wait_until_live(self, most: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while len(self.live.jobs()) > most and not shared_memory.is_stopping():
            if time.monotonic() > deadline:
                return
            self._sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Let jobs finish for DRAIN_SECONDS, then release the rest without an attempt."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.live.jobs() and time.monotonic() < deadline:
            self._sleep(0.05)
        completer.release(self.live.jobs())


def _job_ids(part: WorkItem[Any] | Resolved) -> Iterable[int]:
    return part.outcomes if isinstance(part, Resolved) else [job.pk for job in part.jobs]
