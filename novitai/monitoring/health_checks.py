"""Health of workers, queue, Novita and reconciliation, read from the database.

Nothing here calls Novita, so a probe costs no upstream call.
"""

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection, transaction
from django.db.models import Min

from core.clock import database_now, iso
from instances.domain.enums import JobType
from instances.models import Installation, ReconcileRun, UpstreamGate
from instances.novita import installation as binding
from jobs import stats
from jobs.models import Job, JobStatus, PausedType, Worker
from novitai.monitoring.conditions import Condition, of_novita

# Due jobs start within milliseconds; a job that waits this long is not going to be started.
DUE_LIMIT = timedelta(minutes=5)
QUERY_TIMEOUT = "2s"
# A reconciliation is late after this many intervals and the longest duration of a pass.
_MISSED_PASSES = 3
_LONGEST_PASS = timedelta(minutes=1)
_MAKE_AND_END = (
    *(JobType.CREATE_INSTANCE, JobType.TERMINATE_INSTANCE, JobType.START_INSTANCE),
    *(JobType.STOP_INSTANCE, JobType.RESTART_INSTANCE, JobType.ENFORCE_LIMITS, JobType.RECONCILE),
)


@dataclass(frozen=True, slots=True)
class HealthChecks:
    """One reading of the database, with its time."""

    now: datetime
    worker_count: int
    oldest_due_at: datetime | None
    jobs_ended_per_minute: float
    gate: UpstreamGate | None
    upkeep: tuple[Condition, ...] = ()

    @property
    def oldest_due_seconds(self) -> float:
        return (self.now - self.oldest_due_at).total_seconds() if self.oldest_due_at else 0.0

    @property
    def is_queue_up(self) -> bool:
        return self.worker_count > 0 and self.oldest_due_seconds < DUE_LIMIT.total_seconds()

    @property
    def is_novita_up(self) -> bool:
        return of_novita(self.gate, is_up=self._answered_last) is None

    @property
    def _answered_last(self) -> bool:
        """Whether the latest call succeeded; true before the first failure."""
        gate = self.gate
        if gate is None or gate.last_failure_at is None:
            return True
        if gate.opened_until is not None and gate.opened_until > self.now:
            return False
        return gate.last_success_at is not None and gate.last_success_at > gate.last_failure_at

    def conditions(self) -> Iterator[Condition]:
        """The conditions that are true now, as far as the database shows them."""
        if self.worker_count == 0:
            yield Condition.of("no_worker")
        elif not self.is_queue_up:
            details = f"The oldest has waited for {self.oldest_due_seconds:.0f} s."
            yield Condition.of("jobs_wait", details, self.oldest_due_at)
        if (novita := of_novita(self.gate, is_up=self._answered_last)) is not None:
            yield novita
        yield from self.upkeep

    def novita_details(self) -> dict[str, Any]:
        gate = self.gate
        details: dict[str, Any] = {"status": up(self.is_novita_up), "breaker": self.breaker}
        for name, moment in (
            ("lastSuccessAt", gate and gate.last_success_at),
            ("lastFailureAt", gate and gate.last_failure_at),
        ):
            if moment:
                details[name] = iso(moment)
        return details

    @property
    def breaker(self) -> str:
        """closed, open (no calls), or half-open (one call at a time tries)."""
        return breaker_state(self.gate, self.now)


def breaker_state(gate: UpstreamGate | None, now: datetime) -> str:
    """The state of the circuit breaker: closed, open or half-open."""
    if gate is None or gate.opened_until is None:
        return "closed"
    return "open" if gate.opened_until > now else "half-open"


def run_checks() -> HealthChecks:
    """Read everything in one bounded transaction. Raises Django's errors of the database."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{QUERY_TIMEOUT}'")
        now = database_now()
        workers = count_workers(now)
        return HealthChecks(
            now=now,
            worker_count=workers,
            oldest_due_at=oldest_due(now),
            jobs_ended_per_minute=stats.ended_per_minute(),
            gate=_gate(),
            upkeep=tuple(_upkeep(now, has_workers=workers > 0)),
        )


def count_workers(now: datetime) -> int:
    """Number of worker processes with a heartbeat within WORKER_SILENCE."""
    return Worker.objects.filter(last_seen_at__gt=now - stats.WORKER_SILENCE).count()


def oldest_due(now: datetime) -> datetime | None:
    """``run_at`` of the job that has been due longest. Paused job types are not counted."""
    due = Job.objects.filter(status=JobStatus.PENDING, run_at__lte=now).exclude(
        type__in=PausedType.objects.values("type")
    )
    oldest: datetime | None = due.aggregate(oldest=Min("run_at"))["oldest"]
    return oldest


def is_cache_up() -> bool:
    """Write something to the shared cache and read it back."""
    key = f"health:{threading.get_ident()}"
    word = secrets.token_hex(8)
    try:
        cache.set(key, word, 30)
        return bool(cache.get(key) == word)
    except Error:
        return False


def up(is_up: bool) -> str:
    return "up" if is_up else "down"


def _gate() -> UpstreamGate | None:
    return UpstreamGate.objects.filter(account=settings.CONFIG.upstream_account).first()


def _upkeep(now: datetime, *, has_workers: bool) -> Iterator[Condition]:
    """Conditions that an operator caused (a pause) or has to look into."""
    installation = Installation.objects.first()
    if installation is not None and not binding.is_bound_here(installation):
        yield Condition.of("held_back")
    if installation is not None and installation.braked_at is not None:
        yield Condition.of("braked", installation.brake_reason, installation.braked_at)
    for paused in PausedType.objects.filter(type__in=_MAKE_AND_END):
        reason = f": {paused.reason}" if paused.reason else ""
        details = f"{paused.type}, by {paused.paused_by}{reason}."
        yield Condition.of("paused", details, paused.paused_at)
    if has_workers and (since := _late_since(now)) is not None:
        yield Condition.of("reconciler_late", since=since)


def _late_since(now: datetime) -> datetime | None:
    """Time of the last complete pass (without one: start of the oldest worker), if it is too long
    ago; else None.
    """
    passes = ReconcileRun.objects.filter(
        account=settings.CONFIG.upstream_account, is_complete=True
    ).order_by("-pk")
    last = passes.values_list("ran_at", flat=True).first()
    if last is None:
        lively = Worker.objects.filter(last_seen_at__gt=now - stats.WORKER_SILENCE)
        last = lively.aggregate(first=Min("started_at"))["first"]
    interval = timedelta(seconds=settings.CONFIG.reconcile_interval)
    is_late = last is not None and now - last > _MISSED_PASSES * interval + _LONGEST_PASS
    return last if is_late else None
