"""What a worker process of the cluster executes: batches through load, talk, apply.

The worker's main thread starts a batch, loads it and hands its units to one process-wide pool of
threads, then takes the next message: nobody waits for the slowest item. A keeper thread applies
what has finished, a heartbeat thread keeps the leases alive.
"""

import queue as stdlib_queue
import threading
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from jobs import heartbeat, leasing, registry, settle
from jobs.models import Job
from jobs.outcomes import GiveUp, Outcome, Released, Retry
from jobs.registry import Decided, Handler, Talk, Unit

logger = structlog.get_logger()

# How long the keeper lets finished units gather, so that they share a transaction.
GATHER_SECONDS = 0.02
DRAIN_SECONDS = 5.0
START_ATTEMPTS = 5
MOST_AT_ONCE = 50


@dataclass(slots=True, eq=False)
class Finished:
    """A unit that has been talked about, or whose outcome is known without."""

    jobs: Sequence[Job]
    handler: Handler[Any, Any]
    work: Any = None
    result: Any = None
    outcomes: Mapping[int, Outcome] | None = None
    is_booked: bool = False


class Runner:
    """The threads and the live rows of one worker process. Made after the fork, never before."""

    def __init__(self, threads: int) -> None:
        self._slots = threading.BoundedSemaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="talk")
        self._finished: stdlib_queue.SimpleQueue[Finished] = stdlib_queue.SimpleQueue()
        self.live = heartbeat.LiveJobs()
        self._begin()

    def _begin(self) -> None:
        """Start what goes on beside the work, for the life of the process."""
        heartbeat.start(self.live)
        threading.Thread(target=self._keep, name="keeper", daemon=True).start()

    def run(self, leases: Sequence[tuple[int, int]]) -> None:
        """Start a batch of one type, load it, and hand it to the threads."""
        jobs = self._start(leases)
        if not jobs:
            return
        job_type = registry.get(jobs[0].type)
        self.live.add(jobs, run_limit=job_type.run_limit)
        for part in self._load(job_type.handler, jobs):
            if isinstance(part, Unit):
                self._submit(job_type.handler, part)
            elif chosen := [job for job in jobs if job.pk in part.outcomes]:
                self._finished.put(Finished(chosen, job_type.handler, outcomes=part.outcomes))

    def _start(self, leases: Sequence[tuple[int, int]]) -> Sequence[Job]:
        """Rows that cannot be started would lie idle until their lease lapses: try again first."""
        for attempt in range(START_ATTEMPTS):
            try:
                return leasing.start(leases)
            except (OperationalError, InterfaceError) as error:
                logger.warning("jobs_start_failed", error=str(error), attempt=attempt + 1)
                connection.close()
                time.sleep(0.1 * (attempt + 1))
        return []

    def _load(
        self, handler: Handler[Any, Any], jobs: Sequence[Job]
    ) -> Sequence[Unit[Any] | Decided]:
        try:
            parts = handler.load(jobs)
        except Exception as error:  # noqa: BLE001 - the one place, with _talk and _apply
            return [Decided({job.pk: _failure(error) for job in jobs})]
        covered = {pk for part in parts for pk in _job_ids(part)}
        return [*parts, Decided(_forgotten([job for job in jobs if job.pk not in covered]))]

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
        """Each group in its own transaction; then forget it."""
        self._book(waiting)
        for group in _groups(waiting):
            self._apply_or_drop(group)
            for unit in group:
                waiting.remove(unit)
                self.live.discard(unit.jobs)

    def _book(self, waiting: Sequence[Finished]) -> None:
        """Once for each handler and talk; what was booked is not booked again on a second try."""
        talks: dict[Handler[Any, Any], list[tuple[Any, Any]]] = {}
        for unit in waiting:
            if unit.outcomes is None and not unit.is_booked:
                talks.setdefault(unit.handler, []).append((unit.work, unit.result))
                unit.is_booked = True
        for handler, finished in talks.items():
            try:
                with transaction.atomic():
                    handler.book(finished)
            except Exception:
                # What they cost is less than what they found out, which goes on to be written.
                logger.exception("talks_not_booked", talks=len(finished))

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
            ours = leasing.still_ours(jobs.values())
            if len(ours) < len(jobs):
                logger.warning("jobs_stale_writes_refused", count=len(jobs) - len(ours))
            outcomes: dict[int, Outcome] = {}
            talks: list[Talk[Any, Any]] = []
            for unit in group:
                mine = [job for job in unit.jobs if job.pk in ours]
                if unit.outcomes is not None:
                    outcomes |= {job.pk: unit.outcomes[job.pk] for job in mine}
                elif mine:
                    talks.append(Talk(mine, unit.work, unit.result))
            if talks:
                outcomes |= _outcomes(group[0].handler, talks)
            settle.settle(jobs, outcomes)

    def stop(self) -> None:
        """Let what is under way finish for some seconds, then give the rest back unharmed."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.live.jobs() and time.monotonic() < deadline:
            time.sleep(0.05)
        release(self.live.jobs())


def _outcomes(handler: Handler[Any, Any], talks: Sequence[Talk[Any, Any]]) -> dict[int, Outcome]:
    """Apply all together; if that raises, one by one, so that only the guilty one fails."""
    try:
        with transaction.atomic():
            outcomes = handler.apply_all(talks)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - see _load
        if len(talks) > 1:
            return {pk: out for talk in talks for pk, out in _outcomes(handler, [talk]).items()}
        return {job.pk: _failure(error) for job in talks[0].jobs}
    jobs = [job for talk in talks for job in talk.jobs]
    return {**outcomes, **_forgotten([job for job in jobs if job.pk not in outcomes])}


def _groups(waiting: Sequence[Finished]) -> list[list[Finished]]:
    """All single-job units of a type together, shared ones alone.

    Types apart, since they lock different things first, and by subject within a type: so two
    workers lock the same rows in one order, whatever mixture each of them has gathered.
    """
    single = sorted(
        (unit for unit in waiting if len(unit.jobs) == 1),
        key=lambda unit: (unit.jobs[0].type, unit.jobs[0].subject),
    )
    by_type = groupby(single, key=lambda unit: unit.jobs[0].type)
    shared = [[unit] for unit in waiting if len(unit.jobs) != 1]
    return [part for _, units in by_type for part in _cut(list(units))] + shared


def _cut(units: list[Finished]) -> list[list[Finished]]:
    """What one transaction makes known must not wait for hundreds of others."""
    return [units[i : i + MOST_AT_ONCE] for i in range(0, len(units), MOST_AT_ONCE)]


def release(jobs: Sequence[Job]) -> None:
    """Return started rows as if they had not been started."""
    by_id = {job.pk: job for job in jobs}
    if not by_id:
        return
    with transaction.atomic():
        ours = leasing.still_ours(by_id.values())
        settle.settle(by_id, {pk: Released() for pk in ours})


def _job_ids(part: Unit[Any] | Decided) -> Iterable[int]:
    return part.outcomes if isinstance(part, Decided) else [job.pk for job in part.jobs]


def _forgotten(jobs: Sequence[Job]) -> Mapping[int, Outcome]:
    """Left alone, these would stay live until their run limit ended the whole process."""
    return {job.pk: Retry(f"The handler of {job.type} said nothing of this job.") for job in jobs}


def _failure(error: Exception) -> Outcome:
    """An exception as an outcome; it may say itself whether and when another try makes sense."""
    text = _storable(f"{type(error).__name__}: {error}")
    trace = _storable("".join(traceback.format_exception(error)))
    if getattr(error, "retryable", True) is False:
        return GiveUp(text, trace)
    seconds = getattr(error, "retry_after", None)
    return Retry(text, timedelta(seconds=seconds) if seconds else None, trace)


def _storable(text: str) -> str:
    """Without what Postgres refuses in a text: a job must not fail at writing its failure."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")
