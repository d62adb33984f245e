"""What a worker process of the cluster executes: batches through load, talk, apply.

The worker's main thread starts a batch, loads it and hands its units to one process-wide pool of
threads, then takes the next message: nobody waits for the slowest item. A keeper thread applies
what has finished, a heartbeat thread keeps the leases alive.
"""

import queue as stdlib_queue
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from jobs import heartbeat, queue, registry, settle
from jobs.models import Job
from jobs.outcomes import GiveUp, Outcome, Released, Retry
from jobs.registry import Decided, Handler, Unit

logger = structlog.get_logger()

# How long the keeper lets finished units gather, so that they share a transaction.
GATHER_SECONDS = 0.02
DRAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A unit that has been talked about, or whose outcome is known without."""

    jobs: Sequence[Job]
    handler: Handler[Any, Any]
    work: Any = None
    result: Any = None
    outcomes: Mapping[int, Outcome] | None = None


class Runner:
    """The threads and the live rows of one worker process. Made after the fork, never before."""

    def __init__(self, threads: int) -> None:
        self._slots = threading.BoundedSemaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="talk")
        self._finished: stdlib_queue.SimpleQueue[Finished] = stdlib_queue.SimpleQueue()
        self.live = heartbeat.LiveJobs()
        heartbeat.start(self.live)
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def run(self, leases: Sequence[tuple[int, int]]) -> None:
        """Start a batch of one type, load it, and hand it to the threads."""
        jobs = queue.start(leases)
        if not jobs:
            return
        job_type = registry.get(jobs[0].type)
        self.live.add(jobs, run_limit=job_type.run_limit)
        for part in self._load(job_type.handler, jobs):
            if isinstance(part, Decided):
                chosen = [job for job in jobs if job.pk in part.outcomes]
                self._finished.put(Finished(chosen, job_type.handler, outcomes=part.outcomes))
            else:
                self._submit(job_type.handler, part)

    def _load(
        self, handler: Handler[Any, Any], jobs: Sequence[Job]
    ) -> Sequence[Unit[Any] | Decided]:
        try:
            return handler.load(jobs)
        except Exception as error:  # noqa: BLE001 - the one place, with _talk and _apply
            return [Decided({job.pk: _failure(error) for job in jobs})]

    def _submit(self, handler: Handler[Any, Any], unit: Unit[Any]) -> None:
        """Wait for a slot: work that only waited in a thread pool's queue would hold its lease."""
        self._slots.acquire()
        self._pool.submit(self._talk, handler, unit)

    def _talk(self, handler: Handler[Any, Any], unit: Unit[Any]) -> None:
        bound = {"job_id": unit.jobs[0].public_id, "request_id": unit.jobs[0].request_id}
        try:
            with structlog.contextvars.bound_contextvars(**bound):
                result = handler.talk(unit.work)
            finished = Finished(unit.jobs, handler, unit.work, result)
        except Exception as error:  # noqa: BLE001 - see _load
            outcomes = {job.pk: _failure(error) for job in unit.jobs}
            finished = Finished(unit.jobs, handler, outcomes=outcomes)
        finally:
            self._slots.release()
        self._finished.put(finished)

    def _keep(self) -> None:
        """Apply what has finished, for ever; trouble with the database is waited out."""
        waiting: list[Finished] = []
        while True:
            waiting += self._gather(block=not waiting)
            try:
                self._apply_all(waiting)
            except (OperationalError, InterfaceError) as error:
                logger.warning("jobs_apply_postponed", error=str(error), units=len(waiting))
                connection.close()
                time.sleep(0.5)

    def _gather(self, *, block: bool) -> list[Finished]:
        gathered = [self._finished.get()] if block else []
        time.sleep(GATHER_SECONDS)
        while not self._finished.empty():
            gathered.append(self._finished.get())
        return gathered

    def _apply_all(self, waiting: list[Finished]) -> None:
        """One transaction for all single-job units, one for each shared one; then forget them."""
        single = [unit for unit in waiting if len(unit.jobs) == 1]
        # By subject everywhere, so that two workers lock the same domain rows in one order.
        single.sort(key=lambda unit: unit.jobs[0].subject)
        groups = ([single] if single else []) + [[u] for u in waiting if len(u.jobs) != 1]
        for group in groups:
            self._apply_or_drop(group)
            for unit in group:
                waiting.remove(unit)
                self.live.discard(unit.jobs)

    def _apply_or_drop(self, group: Sequence[Finished]) -> None:
        """What cannot be written at all is left to its lease: the keeper must go on."""
        try:
            self._apply(group)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            if len(group) > 1:
                for unit in group:
                    self._apply_or_drop([unit])
            else:
                logger.exception(
                    "jobs_unwritable", job_ids=[job.public_id for job in group[0].jobs]
                )

    def _apply(self, group: Sequence[Finished]) -> None:
        jobs = {job.pk: job for unit in group for job in unit.jobs}
        with transaction.atomic():
            ours = queue.still_ours(jobs.values())
            if len(ours) < len(jobs):
                logger.warning("jobs_stale_writes_refused", count=len(jobs) - len(ours))
            for unit in group:
                mine = [job for job in unit.jobs if job.pk in ours]
                if mine:
                    settle.settle(jobs, self._outcomes(unit, mine))

    def _outcomes(self, unit: Finished, mine: Sequence[Job]) -> Mapping[int, Outcome]:
        if unit.outcomes is not None:
            return {job.pk: unit.outcomes[job.pk] for job in mine}
        try:
            with transaction.atomic():
                return unit.handler.apply(mine, unit.work, unit.result)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - see _load
            return {job.pk: _failure(error) for job in mine}

    def stop(self) -> None:
        """Let what is under way finish for some seconds, then give the rest back unharmed."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.live.jobs() and time.monotonic() < deadline:
            time.sleep(0.05)
        release(self.live.jobs())


def release(jobs: Sequence[Job]) -> None:
    """Return started rows as if they had not been started."""
    by_id = {job.pk: job for job in jobs}
    if not by_id:
        return
    with transaction.atomic():
        ours = queue.still_ours(by_id.values())
        settle.settle(by_id, {pk: Released() for pk in ours})


def _failure(error: Exception) -> Outcome:
    """An exception as an outcome; it may say itself whether and when another try makes sense."""
    text = f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))
    if getattr(error, "retryable", True) is False:
        return GiveUp(text, trace)
    seconds = getattr(error, "retry_after", None)
    return Retry(text, timedelta(seconds=seconds) if seconds else None, trace)
