"""Decides whether calls to Novita, or creates only, are held: two breakers and a 429 pause.

Works on the account's row that the limiter has locked; accesses no other row.

The breaker of all calls opens after several outages in a row. The breaker of creates opens at the
first refusal of the key, and after several creates without a usable answer, even while reads work.
Critical calls (deletes, stops) pass both. While the key is refused for reads, only reads
(probe_upstream) try it again, and no create is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from instances.domain.enums import Hold
from instances.models import UpstreamGate
from upstream.call_records import CallOutcome, CallRecord
from upstream.errors import Source

logger = structlog.get_logger()

# Outages in a row that open the breaker, for FIRST_OPEN, doubled at each further outage.
OUTAGES_TO_OPEN = 5
# Short: a try is cheap, and the end of an outage should be noticed within seconds.
FIRST_OPEN = timedelta(seconds=5)
LONGEST_OPEN = timedelta(seconds=15)
# Delay between two tries of a create while creates are held.
CREATE_PAUSE = timedelta(seconds=5)
# Without a read with the refused key for this long, a create tries the key.
READS_ARE_SILENT = timedelta(seconds=30)
# Reservation of the one caller that tries a half-open breaker; expires if that caller dies.
PROBE = timedelta(seconds=30)
DEFAULT_PAUSE = timedelta(seconds=5)
# Limit for Novita's Retry-After: no call is made meanwhile, not even a delete.
LONGEST_PAUSE = timedelta(minutes=1)
# How long a refusal for balance or quota is shown after the last create that met it.
ACCOUNT_REFUSAL_KEPT = timedelta(minutes=2)

CREATE = "create_instance"
# Reads that precede a create.
CATALOGUE = frozenset({"list_clusters", "list_products", "get_template", "list_registry_auths"})
ACCOUNT_HOLDS = {
    CallOutcome.BALANCE_NOT_ENOUGH: Hold.BALANCE,
    CallOutcome.QUOTA_EXCEEDED: Hold.QUOTA,
}
# Names of the log lines at the beginning of a hold; its end is logged as novita_recovered.
EVENTS = {
    Hold.KEY_REFUSED: "novita_key_refused",
    Hold.EDGE: "novita_edge_answers",
    Hold.OUTAGE: "novita_unreachable",
    Hold.RATE: "novita_rate_limited",
    Hold.BALANCE: "novita_balance_not_enough",
    Hold.QUOTA: "novita_quota_exceeded",
}


@dataclass(frozen=True, slots=True)
class Blocked:
    """For how long no call may be made, and why."""

    wait: timedelta
    hold: Hold


def blocked_for(
    gate: UpstreamGate, now: datetime, *, is_critical: bool, is_create: bool
) -> Blocked | None:
    """Why a call must not be made now, or None."""
    if gate.paused_until is not None and gate.paused_until > now:
        return Blocked(gate.paused_until - now, Hold.RATE)
    if is_critical:
        return None
    wait = _until(gate.opened_until, gate.probe_until, now)
    if wait is not None:
        return Blocked(wait, Hold.EDGE if gate.hold == Hold.EDGE else Hold.OUTAGE)
    return _create_blocked_for(gate, now) if is_create else None


def _create_blocked_for(gate: UpstreamGate, now: datetime) -> Blocked | None:
    if not is_create_held(gate):
        return None
    hold = Hold.KEY_REFUSED if gate.reads_refused_at else Hold(gate.creates_hold)
    retry_at = gate.creates_retry_at or now
    if gate.reads_refused_at is not None and now < retry_at + READS_ARE_SILENT:
        return Blocked(max(retry_at - now, timedelta(seconds=1)), hold)
    wait = _until(retry_at, gate.creates_probe_until, now)
    return None if wait is None else Blocked(wait, hold)


def _until(
    opened_until: datetime | None, probe_until: datetime | None, now: datetime
) -> timedelta | None:
    if opened_until is None:
        return None
    if opened_until > now:
        return opened_until - now
    return timedelta(seconds=1) if probe_until is not None and probe_until > now else None


def is_create_held(gate: UpstreamGate) -> bool:
    """Whether creates are held, or tried one at a time."""
    return bool(gate.creates_hold) or gate.reads_refused_at is not None


def learn(gate: UpstreamGate, call: CallRecord, now: datetime) -> None:
    """Update breakers and pause by one finished call."""
    _learn_reach(gate, call, now)
    if call.endpoint == CREATE:
        _learn_create(gate, call, now)
    elif call.endpoint in CATALOGUE:
        _learn_catalogue(gate, call, now)
    if call.outcome == CallOutcome.RATE_LIMITED:
        pause = timedelta(seconds=call.retry_after) if call.retry_after else DEFAULT_PAUSE
        gate.paused_until = max(gate.paused_until or now, now + min(pause, LONGEST_PAUSE))


def _learn_reach(gate: UpstreamGate, call: CallRecord, now: datetime) -> None:
    """Update the breaker of all calls.

    Any answer of Novita closes it, refusals included. Answers of an edge close nothing.
    """
    gate.probe_until = None
    if call.counts_as_outage:
        gate.failures_in_a_row += 1
        if gate.failures_in_a_row >= OUTAGES_TO_OPEN:
            doublings = min(gate.failures_in_a_row - OUTAGES_TO_OPEN, 10)
            gate.opened_until = now + min(FIRST_OPEN * 2**doublings, LONGEST_OPEN)
    elif call.source == Source.NOVITA:
        if gate.opened_until is not None:
            _try_creates_now(gate, now)
        gate.failures_in_a_row, gate.opened_until = 0, None
    # Novita answers, but a refused key makes the answer useless: shown as a failure.
    is_bad = call.outcome == CallOutcome.KEY_REFUSED or call.source != Source.NOVITA
    if call.counts_as_outage or is_bad:
        gate.last_failure_at = now
        gate.last_error = words_of(call)
    else:
        gate.last_success_at = now


def _learn_create(gate: UpstreamGate, call: CallRecord, now: datetime) -> None:
    gate.creates_probe_until = None
    if call.outcome == CallOutcome.KEY_REFUSED:
        _hold_creates(gate, Hold.KEY_REFUSED, now)
    elif call.counts_as_outage:
        gate.creates_failures += 1
        if gate.creates_failures >= OUTAGES_TO_OPEN:
            _hold_creates(gate, outage_of(call), now)
    elif call.source == Source.NOVITA:
        gate.creates_hold, gate.creates_failures, gate.creates_retry_at = "", 0, None
        gate.reads_refused_at = None
    if call.outcome in ACCOUNT_HOLDS:
        gate.account_hold, gate.account_refused_at = ACCOUNT_HOLDS[call.outcome], now
    elif call.outcome == CallOutcome.OK:
        gate.account_hold, gate.account_refused_at = "", None


def _learn_catalogue(gate: UpstreamGate, call: CallRecord, now: datetime) -> None:
    gate.creates_probe_until = None
    if call.outcome == CallOutcome.KEY_REFUSED:
        gate.reads_refused_at = gate.reads_refused_at or now
        gate.creates_retry_at = now + CREATE_PAUSE
    elif call.source == Source.NOVITA and not call.counts_as_outage and gate.reads_refused_at:
        gate.reads_refused_at = None
        _try_creates_now(gate, now)


def _hold_creates(gate: UpstreamGate, hold: Hold, now: datetime) -> None:
    gate.creates_hold, gate.creates_retry_at = hold, now + CREATE_PAUSE


def _try_creates_now(gate: UpstreamGate, now: datetime) -> None:
    """Let one create try at once whether creates are still held."""
    gate.creates_retry_at = now if gate.creates_hold else None


def outage_of(call: CallRecord) -> Hold:
    return Hold.EDGE if call.source == Source.EDGE else Hold.OUTAGE


def words_of(call: CallRecord) -> str:
    """Endpoint, outcome, status and Novita's words, at most 300 characters."""
    status = "" if call.status is None else f" {call.status}"
    return f"{call.endpoint}: {call.outcome}{status}: {call.text}"[:300]


def tell(gate: UpstreamGate, last: CallRecord | None, now: datetime) -> None:
    """Save the hold that applies now; logs its beginning and its end."""
    hold = _hold_of(gate, last, now)
    if hold == gate.hold:
        return
    before, since = gate.hold, gate.hold_since
    gate.hold, gate.hold_since = hold, now if hold else None
    gate.hold_message = gate.last_error if hold and last is None else ""
    if hold and last is not None:
        gate.hold_message = words_of(last)
    seconds = round((now - since).total_seconds(), 1) if since is not None else None
    message = gate.hold_message
    transaction.on_commit(lambda: _log(hold, before, seconds, message))


def _log(hold: str, before: str, seconds: float | None, message: str) -> None:
    if before:
        logger.info("novita_recovered", hold=before, held_seconds=seconds, is_held_by=hold or None)
    if hold:
        logger.warning(EVENTS[Hold(hold)], message=message)


def _hold_of(gate: UpstreamGate, last: CallRecord | None, now: datetime) -> str:
    """The first hold that applies: those that an operator must fix before those that pass."""
    if gate.reads_refused_at is not None or gate.creates_hold == Hold.KEY_REFUSED:
        return Hold.KEY_REFUSED
    if gate.opened_until is not None:
        if last is not None and last.counts_as_outage:
            return outage_of(last)
        return gate.hold if gate.hold in (Hold.EDGE, Hold.OUTAGE) else Hold.OUTAGE
    if gate.creates_hold:
        return gate.creates_hold
    if gate.account_refused_at is not None and gate.account_refused_at > now - ACCOUNT_REFUSAL_KEPT:
        return gate.account_hold
    return Hold.RATE if gate.paused_until is not None and gate.paused_until > now else Hold.NONE
