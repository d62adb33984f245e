"""Logs failed calls to Novita, and words and prices that this release cannot read.

Each kind of failure at most every 10 s per process, each unknown value at most once an hour.
"""

import threading
import time
from collections.abc import Iterable

import structlog

from upstream.call_records import CallOutcome, CallRecord
from upstream.errors import clean_text
from upstream.vocabulary import UnknownValue

logger = structlog.get_logger()

EVERY_SECONDS = 10.0
MAX_ERROR = 300
# Refusals of a single request, such as "sold out": no sign of trouble at Novita.
ORDINARY = frozenset({CallOutcome.CLIENT_ERROR, CallOutcome.RATE_LIMITED})

UNKNOWN_EVERY_SECONDS = 3600.0
# Limit for remembered values: Novita may send a new word in each answer.
MAX_UNKNOWN = 1000

_lock = threading.Lock()
# By endpoint and outcome: time of the last line, and the number of calls not logged since.
_told: dict[tuple[str, str], tuple[float, int]] = {}
_unknown_told: dict[UnknownValue, float] = {}


def log_failures(calls: Iterable[CallRecord]) -> None:
    """One line for each failure, with the number of the same kind that were not logged."""
    for call in calls:
        if call.outcome != CallOutcome.OK:
            left_out = _left_out(call)
            if left_out is not None:
                _log(call, left_out)


def log_unknown_values(calls: Iterable[CallRecord]) -> None:
    """One line for each word or price that this release cannot read."""
    for call in calls:
        for unknown in call.unknown_values:
            if _is_first_sight(unknown):
                logger.warning(
                    "novita_value_unknown",
                    endpoint=call.endpoint,
                    field=unknown.field,
                    value=clean_text(unknown.value),
                )


def _is_first_sight(unknown: UnknownValue) -> bool:
    now = time.monotonic()
    with _lock:
        last = _unknown_told.get(unknown)
        if last is not None and now - last < UNKNOWN_EVERY_SECONDS:
            return False
        if len(_unknown_told) >= MAX_UNKNOWN:
            _unknown_told.clear()
        _unknown_told[unknown] = now
        return True


def _log(call: CallRecord, left_out: int) -> None:
    log = logger.info if call.outcome in ORDINARY else logger.warning
    log(
        "novita_call_failed",
        endpoint=call.endpoint,
        outcome=str(call.outcome),
        status=call.status,
        reason=call.reason or None,
        error=call.text[:MAX_ERROR],
        seconds=round(call.seconds, 3),
        not_logged=left_out,
    )


def _left_out(call: CallRecord) -> int | None:
    """Number of calls of this kind not logged since its last line; None: too early for a line."""
    key, now = (call.endpoint, str(call.outcome)), time.monotonic()
    with _lock:
        last, count = _told.get(key, (now - EVERY_SECONDS, 0))
        if now - last < EVERY_SECONDS:
            _told[key] = (last, count + 1)
            return None
        _told[key] = (now, 0)
        return count


def forget() -> None:
    """Clear what was logged; for tests."""
    with _lock:
        _told.clear()
        _unknown_told.clear()
