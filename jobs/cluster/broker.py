"""The django-q2 broker that hands job rows to the cluster: claim, group by type, sign, wait.

django-q2 keeps no queue of its own here; a message carries only ids and lease tokens.
"""

import time
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone
from django_q.brokers import Broker
from django_q.signing import SignedPackage

from jobs import counters, queue, registry
from jobs.engine import outcome_writer, shared_memory
from jobs.engine.claim import Claimer, Lease, has_blocked_rows, seconds_to_next_due
from jobs.engine.heartbeat import worker_name
from jobs.registry import JobType

logger = structlog.get_logger()

LONGEST_WAIT_SECONDS = 1.0
BLOCKED_WAIT_SECONDS = 0.1
# How long a backlog is left to the workers, who claim while they have room (engine/executor.py).
HOLD_BACK_SECONDS = 0.5


class JobBroker(Broker):
    """Called by django-q2's pusher process, over and over."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        # The session that listens: another one in its place hears nothing.
        self._listens_on: object = None
        self._claimer: Claimer | None = None
        self._full_batches: Counter[str] = Counter()
        self._held_back: dict[str, float] = {}

    def dequeue(self) -> list[tuple[str, str]]:
        """Messages for the workers; an empty list after waiting a second in vain. Never raises:
        the pusher would sleep ten seconds and die.
        """
        try:
            return self._claim_or_wait()
        except Error as error:
            logger.warning("claim_failed", error=str(error))
            connection.close()
            time.sleep(0.5)
            return []

    def _claim_or_wait(self) -> list[tuple[str, str]]:
        if shared_memory.is_stopping() or not self._workers_are_free():
            return []
        self._listen()
        if self._claimer is None:  # The sentinel makes the broker; the pusher is forked from it.
            self._claimer = Claimer(worker_name())
        leases = self._claimer.claim(self._types_at_hand())
        messages = batches([lease for lease in leases if not _bury_if_spent(lease)])
        self._hold_back(messages)
        _count_lapsed(leases)
        if not leases:
            self._wait()
        return [_message(batch) for batch in messages]

    def _workers_are_free(self) -> bool:
        """Claim only while nothing waits to be taken: a prefetched batch would lapse unstarted."""
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        shared_memory.pusher_is_alive()
        while not shared_memory.is_task_taken():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.0005)
        shared_memory.pusher_is_alive()
        return True

    def _types_at_hand(self) -> list[JobType]:
        """Of a type with a backlog, each worker gets a full batch and goes on by itself: until
        one of them leaves off, because nothing is left, the type is at its cap or others wait.
        """
        since = max(time.monotonic() - HOLD_BACK_SECONDS, shared_memory.left_off_at())
        self._held_back = {name: start for name, start in self._held_back.items() if start > since}
        return [each for each in registry.all_types() if each.name not in self._held_back]

    def _hold_back(self, messages: Sequence[Sequence[Lease]]) -> None:
        full = {batch[0].type for batch in messages if _is_full(batch)}
        self._full_batches = Counter({name: self._full_batches[name] + 1 for name in full})
        for name, count in self._full_batches.items():
            if count >= settings.CONFIG.job_workers:
                self._held_back[name] = time.monotonic()

    def _listen(self) -> None:
        connection.ensure_connection()
        if self._listens_on is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {queue.CHANNEL}")
            self._listens_on = connection.connection

    def _wait(self) -> None:
        """Until a NOTIFY, the next due time, or a second has passed."""
        is_blocked = has_blocked_rows()
        shared_memory.set_blocked(is_blocked)
        longest = BLOCKED_WAIT_SECONDS if is_blocked else LONGEST_WAIT_SECONDS
        next_due = seconds_to_next_due()
        seconds = longest if next_due is None else min(longest, next_due)
        if self._held_back:
            seconds = min(seconds, BLOCKED_WAIT_SECONDS)
        notices = connection.connection.notifies(timeout=max(seconds, 0.001), stop_after=1)
        # This is psycopg's own call: unwrapped, a lost server would be no error that Django knows.
        with connection.wrap_database_errors:
            for _ in notices:
                pass

    def ping(self) -> bool:
        return True

    def info(self) -> str:
        return "novitai jobs"

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Statistics live in Worker rows; django-q2's own would be written twice a second."""

    def acknowledge(self, task_id: Any) -> None:
        """Job rows are settled by the runner."""

    def fail(self, task_id: Any) -> None:
        """Job rows are settled by the runner."""


def _bury_if_spent(lease: Lease) -> bool:
    """Fail a row that killed a worker in each of its attempts; True for such a row.

    One that cannot be failed is left to its lease: the rows claimed beside it must go on.
    """
    if not (lease.is_suspect and lease.is_exhausted):
        return False
    try:
        outcome_writer.fail_exhausted([lease])
    except Exception:
        logger.exception("job_not_buried", job=lease.job_id, type=lease.type)
    return True


def batches(leases: Sequence[Lease]) -> list[list[Lease]]:
    """One type each, at most its batch size, the most urgent first; what may have killed its
    worker goes alone.
    """
    made: list[list[Lease]] = [[lease] for lease in leases if lease.is_suspect]
    fresh = sorted((lease for lease in leases if not lease.is_suspect), key=_by_type_and_urgency)
    for name, group in groupby(fresh, key=lambda lease: lease.type):
        rows, size = list(group), registry.get(name).batch_size
        made += [rows[i : i + size] for i in range(0, len(rows), size)]
    return sorted(made, key=lambda batch: (-batch[0].priority, batch[0].due))


def _by_type_and_urgency(lease: Lease) -> tuple[str, int, float]:
    return (lease.type, -lease.priority, lease.due)


def _count_lapsed(leases: Sequence[Lease]) -> None:
    if lapsed := sum(lease.is_lapsed for lease in leases):
        try:
            counters.count(counters.LEASES_LAPSED, lapsed)
        except Error as error:  # What was claimed must still be handed out.
            logger.warning("lapsed_leases_not_counted", count=lapsed, error=str(error))


def _is_full(batch: Sequence[Lease]) -> bool:
    return len(batch) >= registry.get(batch[0].type).batch_size and not batch[0].is_suspect


def _message(batch: Sequence[Lease]) -> tuple[str, str]:
    task = {
        "id": f"{batch[0].job_id}-{batch[0].token}",
        "name": f"{batch[0].type} x{len(batch)}",
        "func": "jobs.cluster.supervisor.run_message",
        "args": ([(lease.job_id, lease.token) for lease in batch],),
        "kwargs": {"is_alone": batch[0].is_last_chance},
        "started": timezone.now(),
        "save": False,
    }
    return task["id"], SignedPackage.dumps(task)  # type: ignore[return-value]
