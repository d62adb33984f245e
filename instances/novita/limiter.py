"""Call budget for the account at Novita, shared by all processes through one row in Postgres.

Handlers reserve calls in ``load`` and report them in ``apply``; no database access in between.
Each class of calls leaves the reserves of the classes above it (call_classes.py); within a class,
projects take turns (turns.py).
Libraries for rate limits and breakers act around the call, where no database may be used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core.clock import database_now
from instances.domain.enums import Hold
from instances.models import UpstreamGate
from instances.novita import call_log, holds, metric_counters, turns
from instances.novita.call_classes import ENOUGH_AT_ONCE, CallClass, left_by
from upstream.call_records import CallOutcome, CallRecord


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to make ``calls``; if 0, how long to wait before the next try."""

    calls: int
    wait: timedelta = timedelta(0)
    # Why no call is permitted if not for the budget, and Novita's words.
    hold: Hold = field(default=Hold.NONE, compare=False)
    message: str = field(default="", compare=False)

    @property
    def is_granted(self) -> bool:
        return self.calls > 0


def reserve(
    wanted: int,
    call_class: CallClass,
    *,
    at_least: int | None = None,
    project_id: int | None = None,
    is_create: bool = False,
) -> Permit:
    """Take up to ``wanted`` calls from the shared budget, at least ``at_least`` (all) or none.

    END also passes an open breaker. ``project_id``: takes turns with other projects of the class.
    ``is_create``: also waits while creates are held, and tries them one at a time.
    """
    at_least = wanted if at_least is None else at_least
    is_critical = call_class is CallClass.END
    with transaction.atomic():
        gate, now = _lock(), database_now()
        _refill(gate, now)
        blocked = holds.blocked_for(gate, now, is_critical=is_critical, is_create=is_create)
        if blocked is not None:
            return Permit(0, blocked.wait, blocked.hold, gate.hold_message)
        if gate.opened_until is not None:
            wanted, gate.probe_until = at_least, now + holds.PROBE
        if is_create and holds.is_create_held(gate):
            wanted, gate.creates_probe_until = at_least, now + holds.PROBE
        permit = _take(gate, now, _Wish(wanted, at_least, call_class, project_id))
        if not permit.is_granted:
            gate.probe_until = None
            gate.creates_probe_until = None if is_create else gate.creates_probe_until
        gate.save()
    return permit


@dataclass(frozen=True, slots=True)
class _Wish:
    wanted: int
    at_least: int
    call_class: CallClass
    project_id: int | None

    @property
    def who(self) -> str:
        """Whose place in the queue of the class; empty: it takes none."""
        if self.call_class is CallClass.WATCH:
            return "all"
        return "" if self.project_id is None else str(self.project_id)


def _take(gate: UpstreamGate, now: datetime, wish: _Wish) -> Permit:
    """Take the calls from the row's tokens, or a place in the queue of the class."""
    left = _left_by(gate, now, wish)
    # More than the bucket ever holds is granted as much as it holds.
    at_least = min(wish.at_least, max(_capacity_e3() // 1000 - left, 1))
    room = gate.tokens_e3 // 1000 - left
    queue, who = gate.turns.setdefault(wish.call_class, {}), wish.who
    ahead = turns.ahead(queue, who, now)
    if room - ahead < at_least:
        wait = time_for(at_least + ahead - room)
        if who:
            turns.refuse(queue, who, now, wants=at_least, wait=wait)
        return Permit(0, wait)
    calls = max(at_least, min(wish.wanted, room - turns.wanted_by_others(queue, who, now)))
    gate.tokens_e3 -= calls * 1000
    if who:
        turns.serve(queue, who, now)
    return Permit(calls)


def _left_by(gate: UpstreamGate, now: datetime, wish: _Wish) -> int:
    """Calls left to other classes.

    A watch that waits for long goes before ends: with a thousand of them, no end would be seen.
    """
    overdue = turns.overdue(gate.turns.get(CallClass.WATCH, {}), now)
    if overdue and wish.call_class is CallClass.END:
        return overdue
    if overdue and wish.call_class is CallClass.WATCH:
        return 0
    return left_by(wish.call_class, _capacity_e3() // 1000)


def report(reports: Iterable[tuple[Permit, Sequence[CallRecord]]]) -> None:
    """Return unused calls to the budget, count the used ones, update the breakers."""
    reports = list(reports)
    calls = [call for _, made in reports for call in made]
    unused = sum(max(permit.calls - len(made), 0) for permit, made in reports)
    with transaction.atomic():
        # Lock this row first: holding a counter's row lock while waiting for it could deadlock.
        gate, now = _lock(), database_now()
        metric_counters.add(metric_counters.of_calls(calls))
        gate.tokens_e3 += unused * 1000
        for call in calls:
            holds.learn(gate, call, now)
        if not calls:
            gate.probe_until = gate.creates_probe_until = None
        holds.tell(gate, _telling(calls), now)
        gate.save()
    call_log.log_failures(calls)
    call_log.log_unknown_values(calls)


def _telling(calls: Sequence[CallRecord]) -> CallRecord | None:
    """The call that explains a hold: the last one that failed."""
    failed = [call for call in calls if call.outcome != CallOutcome.OK]
    return failed[-1] if failed else None


def _lock() -> UpstreamGate:
    """The account's row, locked; created with a full bucket."""
    account = settings.CONFIG.upstream_account
    UpstreamGate.objects.get_or_create(account=account, defaults={"tokens_e3": _capacity_e3()})
    return UpstreamGate.objects.select_for_update().get(account=account)


def _capacity_e3() -> int:
    """Bucket size in 1/1000 call: a fifth of NOVITA_RATE_LIMIT, up to half of a small one."""
    limit = settings.CONFIG.novita_rate_limit
    return max(limit // 5, min(limit // 2, ENOUGH_AT_ONCE)) * 1000


def _refill_e3_per_second() -> int:
    return (settings.CONFIG.novita_rate_limit * 1000 - _capacity_e3()) // 60


def _refill(gate: UpstreamGate, now: datetime) -> None:
    milliseconds = max((now - gate.refilled_at) // timedelta(milliseconds=1), 0)
    gained = milliseconds * _refill_e3_per_second() // 1000
    gate.tokens_e3 = min(gate.tokens_e3 + gained, _capacity_e3())
    gate.refilled_at = now


def fair_pause(calls: int) -> timedelta:
    """Pause after ``calls`` calls that keeps repeated work at half of the budget's refill."""
    return timedelta(seconds=calls * 2000 / _refill_e3_per_second())


def time_of(calls: int) -> timedelta:
    """Time in which the budget grows by ``calls``; at most 10 seconds."""
    return timedelta(seconds=min(calls * 1000 / _refill_e3_per_second(), 10))


def time_for(calls: int) -> timedelta:
    """Time in which the budget grows by ``calls``; between 0.1 and 30 seconds."""
    seconds = calls * 1000 / _refill_e3_per_second()
    return timedelta(seconds=min(max(seconds, 0.1), 30))
