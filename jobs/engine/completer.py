"""Writes what came of the work: apply, and the outcome of the job, in one transaction.

One thread of each worker process. It lets finished items gather for a moment, so that they share
transactions; no item, whatever is wrong with it, keeps the others from being written.
"""

import queue as stdlib_queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from jobs import counters, registry
from jobs.engine import leasing, outcome_writer, shared_memory
from jobs.engine.heartbeat import LiveJobs
from jobs.failpoints import crashpoint
from jobs.models import Job
from jobs.outcomes import GiveUp, Outcome, Released, Retry
from jobs.registry import CompletedCall, Handler

logger = structlog.get_logger()

# How long finished units gather. With as many as this at hand, nobody waits for more.
GATHER_SECONDS = 0.02
ENOUGH_JOBS = 200
PAUSE_SECONDS = 0.5
# Times that the database refuses a unit, while it takes others, before the unit is to blame.
MOST_REFUSALS = 3

# SQLSTATEs of a server that is read-only (a failover), has no space left, or denies us the right.
TAKES_NO_WRITES = ("25006", "53100", "42501")

DatabaseTrouble = (OperationalError, InterfaceError)


@dataclass(slots=True, eq=False)
class Finished:
    """A unit that has been talked about, or whose outcome is known without."""

    jobs: Sequence[Job]
    handler: Handler[Any, Any]
    work: Any = None
    result: Any = None
    outcomes: Mapping[int, Outcome] | None = None
    is_booked: bool = False
    refusals: int = 0


class Completer:
    """Takes finished items from any thread; its own thread writes them.

    wake: lets an idle worker look for work, once this one has made room for it.
    """

    def __init__(self, live: LiveJobs, wake: Callable[[], None] = lambda: None) -> None:
        self._live = live
        self._wake = wake
        self._finished: stdlib_queue.SimpleQueue[Finished] = stdlib_queue.SimpleQueue()

    def start(self) -> None:
        threading.Thread(target=self._keep_forever, name="keeper", daemon=True).start()

    def put(self, finished: Finished) -> None:
        self._finished.put(finished)

    def _keep_forever(self) -> None:
        waiting: list[Finished] = []
        while True:
            waiting += self._gather(block=not waiting)
            self.write(waiting)
            if waiting:
                time.sleep(PAUSE_SECONDS)

    def _gather(self, *, block: bool) -> list[Finished]:
        gathered = [self._finished.get()] if block else []
        if self._finished.qsize() + sum(len(unit.jobs) for unit in gathered) < ENOUGH_JOBS:
            time.sleep(GATHER_SECONDS)
        return gathered + self.take()

    def take(self) -> list[Finished]:
        """What has finished since the last time."""
        taken = []
        while not self._finished.empty():
            taken.append(self._finished.get())
        return taken

    def write(self, waiting: list[Finished]) -> None:
        """Write groups of units, each in its own transaction; what is left waits for a next try."""
        try:
            _book(waiting)
            for group in _groups(waiting):
                self._write_group(group, waiting)
        except DatabaseTrouble as error:
            logger.warning("jobs_apply_postponed", error=str(error), units=len(waiting))
            connection.close()

    def _write_group(self, group: Sequence[Finished], waiting: list[Finished]) -> None:
        """Together, and each unit by itself when that fails. Raises DatabaseTrouble when the
        database is away; what it only refuses stays in ``waiting``.
        """
        try:
            _write(group)
        except DatabaseTrouble as error:
            connection.close()
            if _concerns_all(error):
                raise
            _ask_database()
            if len(group) == 1:
                return self._bear(group[0], error, waiting)
        except Exception as error:  # noqa: BLE001 - it is logged where it ends
            if len(group) == 1:
                return self._leave(group[0], error, waiting)
        else:
            self._forget(group, waiting)
            if shared_memory.has_backlog():
                self._wake()
            return None
        for unit in group:
            self._write_group([unit], waiting)
        return None

    def _bear(self, unit: Finished, error: Exception, waiting: list[Finished]) -> None:
        """The database works, yet refused this unit: a deadlock passes, a time limit may not."""
        unit.refusals += 1
        if unit.refusals == MOST_REFUSALS:
            unit.outcomes = {job.pk: failure(error) for job in unit.jobs}
        elif unit.refusals > 2 * MOST_REFUSALS:
            self._leave(unit, error, waiting)

    def _leave(self, unit: Finished, error: Exception, waiting: list[Finished]) -> None:
        """What cannot be written at all is left to its lease: the others must go on."""
        ids = [job.public_id for job in unit.jobs]
        logger.error("jobs_unwritable", job_ids=ids, exc_info=error)
        self._forget([unit], waiting)

    def _forget(self, group: Sequence[Finished], waiting: list[Finished]) -> None:
        for unit in group:
            waiting.remove(unit)
            self._live.discard(unit.jobs)


def _concerns_all(error: Exception) -> bool:
    """Whether no unit can be written now: a database that takes no writes may still answer."""
    return getattr(error.__cause__, "sqlstate", None) in TAKES_NO_WRITES


def _ask_database() -> None:
    """Raises DatabaseTrouble when it does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _book(waiting: Sequence[Finished]) -> None:
    """Once for each handler and talk; what was booked is not booked again on a second try."""
    talks: dict[Handler[Any, Any], list[Finished]] = {}
    for unit in waiting:
        if unit.outcomes is None and not unit.is_booked:
            talks.setdefault(unit.handler, []).append(unit)
    for handler, units in talks.items():
        if type(handler).book is Handler.book:
            continue
        try:
            with transaction.atomic():
                handler.book([(unit.work, unit.result) for unit in units])
        except DatabaseTrouble as error:
            # While the database is away nothing is written: they are booked on the next try.
            logger.warning("talks_not_booked", talks=len(units), error=str(error))
            continue
        except Exception:
            # What they cost is less than what they found out, which goes on to be written.
            logger.exception("talks_not_booked", talks=len(units))
        for unit in units:
            unit.is_booked = True


def _write(group: Sequence[Finished]) -> None:
    jobs = {job.id: job for unit in group for job in unit.jobs}
    with transaction.atomic():
        ours = leasing.lock_owned(jobs.values())
        outcomes: dict[int, Outcome] = {}
        talks: list[CompletedCall[Any, Any]] = []
        for unit in group:
            mine = [job for job in unit.jobs if job.id in ours]
            if unit.outcomes is not None:
                outcomes |= {job.pk: unit.outcomes[job.pk] for job in mine}
            elif mine:
                talks.append(CompletedCall(mine, unit.work, unit.result))
        if talks:
            outcomes |= _outcomes(group[0].handler, talks)
        outcome_writer.write_outcomes(jobs, outcomes)
        crashpoint("keeper.before_commit")
    crashpoint("keeper.after_commit")
    if refused := len(jobs) - len(ours):
        logger.warning("jobs_stale_writes_refused", count=refused)
        counters.try_to_count(counters.STALE_WRITES_REFUSED, refused)


def _outcomes(
    handler: Handler[Any, Any], talks: Sequence[CompletedCall[Any, Any]]
) -> dict[int, Outcome]:
    """Apply all together; if that raises, one by one, so that only the guilty one fails."""
    try:
        with transaction.atomic():
            outcomes = handler.apply_all(talks)
    except DatabaseTrouble:
        raise
    except Exception as error:  # noqa: BLE001 - with Runner's, the only ones
        if len(talks) > 1:
            return {pk: out for talk in talks for pk, out in _outcomes(handler, [talk]).items()}
        return {job.pk: failure(error) for job in talks[0].jobs}
    jobs = [job for talk in talks for job in talk.jobs]
    return {**outcomes, **forgotten([job for job in jobs if job.pk not in outcomes])}


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
    parts = [part for name, units in by_type for part in _cut(name, list(units))] + shared
    return [group for part in parts for group in _once_each(part)]


def _once_each(units: list[Finished]) -> list[list[Finished]]:
    """No job twice in a transaction: a process that was frozen may hold what it talked about under
    a lease that lapsed, beside what came of the same row under the next. The fence asks for one
    token a row, so the one would pass with the other's.
    """
    seen: set[int] = set()
    first: list[Finished] = []
    later: list[Finished] = []
    for unit in units:
        ids = {job.id for job in unit.jobs}
        (later if ids & seen else first).append(unit)
        seen |= ids
    return [first, *_once_each(later)] if later else [first]


def _cut(name: str, units: list[Finished]) -> list[list[Finished]]:
    """What one transaction makes known must not wait for hundreds of others."""
    size = registry.get(name).commit_size
    return [units[i : i + size] for i in range(0, len(units), size)]


def release(jobs: Sequence[Job]) -> None:
    """Return started rows as if they had not been started."""
    by_id = {job.pk: job for job in jobs}
    if not by_id:
        return
    with transaction.atomic():
        ours = leasing.lock_owned(by_id.values())
        outcome_writer.write_outcomes(by_id, {pk: Released() for pk in ours})


def forgotten(jobs: Sequence[Job]) -> Mapping[int, Outcome]:
    """Left alone, these would stay live until their run limit ended the whole process."""
    return {job.pk: Retry(f"The handler of {job.type} said nothing of this job.") for job in jobs}


def failure(error: Exception) -> Outcome:
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
