"""How the parts stand, as the database knows it: what workers saw last, what waits, who lives.

Nothing here calls Novita, so a probe costs no upstream call.
"""

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.db.models import Min

from instances.clock import iso
from instances.database_clock import database_now
from instances.models import UpstreamGate
from jobs import stats
from jobs.models import Job, JobStatus, PausedType, Worker

# Due work is picked up in milliseconds; what waits this long waits for nobody.
DUE_LIMIT = timedelta(minutes=5)
QUERY_TIMEOUT = "2s"


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at the database, by its clock."""

    now: datetime
    worker_count: int
    oldest_due_at: datetime | None
    jobs_ended_per_minute: float
    gate: UpstreamGate | None

    @property
    def oldest_due_seconds(self) -> float:
        return (self.now - self.oldest_due_at).total_seconds() if self.oldest_due_at else 0.0

    @property
    def is_queue_up(self) -> bool:
        return self.worker_count > 0 and self.oldest_due_seconds < DUE_LIMIT.total_seconds()

    @property
    def is_novita_up(self) -> bool:
        """Up until something was seen to fail, and again after the next success."""
        gate = self.gate
        if gate is None or gate.last_failure_at is None:
            return True
        if gate.opened_until is not None and gate.opened_until > self.now:
            return False
        return gate.last_success_at is not None and gate.last_success_at > gate.last_failure_at

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
        """closed; open until a moment; then half-open, while one caller at a time may try."""
        return breaker_state(self.gate, self.now)


def breaker_state(gate: UpstreamGate | None, now: datetime) -> str:
    """The word for where a breaker stands."""
    if gate is None or gate.opened_until is None:
        return "closed"
    return "open" if gate.opened_until > now else "half-open"


def look() -> Vitals | None:
    """Read everything in one bounded transaction; None when the database does not answer."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{QUERY_TIMEOUT}'")
            now = database_now()
            return Vitals(
                now=now,
                worker_count=count_workers(now),
                oldest_due_at=oldest_due(now),
                jobs_ended_per_minute=stats.ended_per_minute(),
                gate=_gate(),
            )
    except DatabaseError:
        return None


def count_workers(now: datetime) -> int:
    """Worker processes whose heartbeat was seen lately."""
    return Worker.objects.filter(last_seen_at__gt=now - stats.WORKER_SILENCE).count()


def oldest_due(now: datetime) -> datetime | None:
    """Since when the longest waiting job could have been worked on, were there anybody to do it.

    What an operator has paused waits because it was told to.
    """
    due = Job.objects.filter(status=JobStatus.PENDING, run_at__lte=now).exclude(
        type__in=PausedType.objects.values("type")
    )
    oldest: datetime | None = due.aggregate(oldest=Min("run_at"))["oldest"]
    return oldest


def _gate() -> UpstreamGate | None:
    return UpstreamGate.objects.filter(account=settings.CONFIG.upstream_account).first()


def is_cache_up() -> bool:
    """Write something to the shared cache and read it back."""
    key = f"health:{threading.get_ident()}"
    word = secrets.token_hex(8)
    try:
        cache.set(key, word, 30)
        return bool(cache.get(key) == word)
    except DatabaseError:
        return False


def up(is_up: bool) -> str:
    return "up" if is_up else "down"
