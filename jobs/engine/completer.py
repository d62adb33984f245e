"""Applies results and writes outcomes, in one transaction for each group of work items.

Runs in one thread of each worker process. It lets finished items gather for a moment, so that they
share transactions; an item that cannot be written does not keep the others from being written.
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

from jobs import counters
from jobs.engine import leasing, outcome_writer, shared_memory
from jobs.engine.heartbeat import LiveJobs
from jobs.engine.slow_keys import SlowKeys
from jobs.failpoints import failpoint
from jobs.handler import CompletedCall, Handler, get_type
from jobs.models import Job
from jobs.outcomes import GiveUp, Outcome, Released, Retry

logger = structlog.get_logger()

# How long finished items gather. At this number of jobs, the completer does not wait for more.
GATHER_SECONDS = 0.02
ENOUGH_JOBS = 200
PAUSE_SECONDS = 0.5
# At this number of refusals, while the database accepts other items, the item itself fails.
MOST_REFUSALS = 3

# SQLSTATEs: server is read-only (a failover), disk is full, permission is missing.
TAKES_NO_WRITES = ("25006", "53100", "42501")

DatabaseTrouble = (OperationalError, InterfaceError)


@dataclass(slots=True, eq=False)
class Finished:
    """A work item whose call has returned, or whose outcome is known without a call."""

    jobs: Sequence[Job]
    handler: Handler[Any, Any]
    work: Any = None
    result: Any = None
    outcomes: Mapping[int, Outcome] | None = None
    is_recorded: bool = False
    refusals: int = 0
    # Duration of the call; None if there was none.
    seconds: float | None = None


class Completer:
    """Takes finished items from any thread; its own thread writes them.

    wake: wakes an idle worker, called after a write has made room for due rows. sleep: how the
    thread waits.
    """

    def __init__(
        self,
        live: LiveJobs,
        wake: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._live = live
        self._wake = wake
        self._sleep = sleep
        self._slow_keys = SlowKeys()
        self._finished: stdlib_queue.SimpleQueue[Finished] = stdlib_queue.SimpleQueue()

    def start(self) -> None:
        threading.Thread(target=self.run, name="completer", daemon=True).start()

    def put(self, finished: Finished) -> None:
        self._finished.put(finished)

    def run(self) -> None:
        """Write what has finished, for the life of the process."""
        waiting: list[Finished] = []
        while True:
            waiting += self._gather(block=not waiting)
            self.write(waiting)
            if waiting:
                self._sleep(PAUSE_SECONDS)

    def _gather(self, *, block: bool) -> list[Finished]:
        gathered = [self._finished.get()] if block else []
        if self._finished.qsize() + sum(len(item.jobs) for item in gathered) < ENOUGH_JOBS:
            self._sleep(GATHER_SECONDS)
        return gathered + self.take()

    def take(self) -> list[Finished]:
        """All items that have finished since the last call."""
        taken = []
        while not self._finished.empty():
            taken.append(self._finished.get())
        return taken

    def write(self, waiting: list[Finished]) -> None:
        """Write groups of items, each in one transaction; what stays in ``waiting`` is retried."""
        try:
            self._note_keys(waiting)
            _record_usage(waiting)
            for group in _groups(waiting):
                self._write_group(group, waiting)
        except DatabaseTrouble as error:
            logger.warning("jobs_apply_postponed", error=str(error), items=len(waiting))
            connection.close()

    def _note_keys(self, waiting: Sequence[Finished]) -> None:
        """Note how long the calls of fair types took, once for each."""
        calls = []
        for item in waiting:
            if item.seconds is not None and get_type(item.jobs[0].type).is_fair:
                calls += [(job.type, job.fair_key, item.seconds) for job in item.jobs]
        self._slow_keys.note(calls)
        for item in waiting:
            item.seconds = None

    def _write_group(self, group: Sequence[Finished], waiting: list[Finished]) -> None:
        """Write a group together; if that fails, each item alone. Raises DatabaseTrouble if the
        database is unavailable; an item that it refuses while it works stays in ``waiting``.
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
        for item in group:
            self._write_group([item], waiting)
        return None

    def _bear(self, item: Finished, error: Exception, waiting: list[Finished]) -> None:
        """A deadlock passes, a time limit may not: after MOST_REFUSALS, write a failure instead."""
        item.refusals += 1
        if item.refusals == MOST_REFUSALS:
            item.outcomes = {job.pk: failure(error) for job in item.jobs}
        elif item.refusals > 2 * MOST_REFUSALS:
            self._leave(item, error, waiting)

    def _leave(self, item: Finished, error: Exception, waiting: list[Finished]) -> None:
        """Drop an item that cannot be written; its lease lapses. The other items must go on."""
        ids = [job.public_id for job in item.jobs]
        logger.error("jobs_unwritable", job_ids=ids, exc_info=error)
        self._forget([item], waiting)

    def _forget(self, group: Sequence[Finished], waiting: list[Finished]) -> None:
        for item in group:
            waiting.remove(item)
            self._live.discard(item.jobs)


def _concerns_all(error: Exception) -> bool:
    """True if no item can be written now: a read-only or full database may still answer SELECT."""
    return getattr(error.__cause__, "sqlstate", None) in TAKES_NO_WRITES


def _ask_database() -> None:
    """Raises DatabaseTrouble if the database does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _record_usage(waiting: Sequence[Finished]) -> None:
    """Call record_usage once for each handler; recorded calls are not recorded again on a retry."""
    calls: dict[Handler[Any, Any], list[Finished]] = {}
    for item in waiting:
        if item.outcomes is None and not item.is_recorded:
            calls.setdefault(item.handler, []).append(item)
    for handler, items in calls.items():
        if type(handler).record_usage is Handler.record_usage:
            continue
        try:
            with transaction.atomic():
                handler.record_usage([(item.work, item.result) for item in items])
        except DatabaseTrouble as error:
            # Nothing is written while the database is unavailable: recorded on the next try.
            logger.warning("usage_not_recorded", calls=len(items), error=str(error))
            continue
        except Exception:
            # The usage is less important than the results, which are written anyway.
            logger.exception("usage_not_recorded", calls=len(items))
        for item in items:
            item.is_recorded = True


def _write(group: Sequence[Finished]) -> None:
    jobs = {job.id: job for item in group for job in item.jobs}
    with transaction.atomic():
        ours = leasing.lock_owned(jobs.values())
        outcomes: dict[int, Outcome] = {}
        calls: list[CompletedCall[Any, Any]] = []
        for item in group:
            mine = [job for job in item.jobs if job.id in ours]
            if item.outcomes is not None:
                outcomes |= {job.pk: item.outcomes[job.pk] for job in mine}
            elif mine:
                calls.append(CompletedCall(mine, item.work, item.result))
        if calls:
            outcomes |= _outcomes(group[0].handler, calls)
        outcome_writer.write_outcomes(jobs, outcomes)
        failpoint("completer.before_commit")
    failpoint("completer.after_commit")
    if refused := len(jobs) - len(ours):
        logger.warning("jobs_stale_writes_refused", count=refused)
        counters.try_to_count(counters.STALE_WRITES_REFUSED, refused)


def _outcomes(
    handler: Handler[Any, Any], calls: Sequence[CompletedCall[Any, Any]]
) -> dict[int, Outcome]:
    """Apply all calls together; if that raises, one by one, so that only the faulty one fails."""
    try:
        with transaction.atomic():
            outcomes = handler.apply_all(calls)
    except DatabaseTrouble:
        raise
    except Exception as error:  # noqa: BLE001 - with Executor's, the only ones
        if len(calls) > 1:
            return {pk: out for call in calls for pk, out in _outcomes(handler, [call]).items()}
        return {job.pk: failure(error) for job in calls[0].jobs}
    jobs = [job for call in calls for job in call.jobs]
    return {**outcomes, **forgotten([job for job in jobs if job.pk not in outcomes])}


def _groups(waiting: Sequence[Finished]) -> list[list[Finished]]:
    """Single-job items of a type in one group (cut by commit_size); each shared item in its own.

    Types apart, since they lock different rows first; sorted by subject within a type. So two
    workers lock the same rows in the same order, whatever mixture each of them has gathered.
    """
    single = sorted(
        (item for item in waiting if len(item.jobs) == 1),
        key=lambda item: (item.jobs[0].type, item.jobs[0].subject),
    )
    by_type = groupby(single, key=lambda item: item.jobs[0].type)
    shared = [[item] for item in waiting if len(item.jobs) != 1]
    parts = [part for name, items in by_type for part in _cut(name, list(items))] + shared
    return [group for part in parts for group in _once_each(part)]


def _once_each(items: list[Finished]) -> list[list[Finished]]:
    """Groups in which each job occurs once. A process that was frozen may hold the result of a call
    under a lapsed lease, and a result of the same row under a newer one. The fence compares one
    token per row, so the stale result would pass with the other's token.
    """
    seen: set[int] = set()
    first: list[Finished] = []
    later: list[Finished] = []
    for item in items:
        ids = {job.id for job in item.jobs}
        (later if ids & seen else first).append(item)
        seen |= ids
    return [first, *_once_each(later)] if later else [first]


def _cut(name: str, items: list[Finished]) -> list[list[Finished]]:
    """The effects of one transaction must not wait for hundreds of other items."""
    size = get_type(name).commit_size
    return [items[i : i + size] for i in range(0, len(items), size)]


def release(jobs: Sequence[Job]) -> None:
    """Return started rows to pending, without counting the attempt."""
    by_id = {job.pk: job for job in jobs}
    if not by_id:
        return
    with transaction.atomic():
        ours = leasing.lock_owned(by_id.values())
        outcome_writer.write_outcomes(by_id, {pk: Released() for pk in ours})


def forgotten(jobs: Sequence[Job]) -> Mapping[int, Outcome]:
    """A Retry for jobs without an outcome, else live until the run limit ends the process."""
    return {job.pk: Retry(f"The handler of {job.type} said nothing of this job.") for job in jobs}


def failure(error: Exception) -> Outcome:
    """An exception as an outcome, by its attributes ``retryable`` and ``retry_after``."""
    text = _storable(f"{type(error).__name__}: {error}")
    trace = _storable("".join(traceback.format_exception(error)))
    if getattr(error, "retryable", True) is False:
        return GiveUp(text, trace)
    seconds = getattr(error, "retry_after", None)
    return Retry(text, timedelta(seconds=seconds) if seconds else None, trace)


def _storable(text: str) -> str:
    """Text without characters that Postgres refuses: writing a failure must not fail."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")
