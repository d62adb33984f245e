"""Lets creates wait: reason, message, pause, and the failure of a create that waited too long.

A fault of the operator, of Novita or of the network fails no request: the create waits with a
reason until it can go on, or until its start deadline.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from core.clock import database_now
from instances.domain.enums import FailureCode, Hold, WaitCode
from instances.domain.types import Failure, Wait
from instances.lifecycle.waiting import begin_wait, note_waits
from instances.models import Instance
from instances.novita import limiter
from instances.novita.limiter import Permit
from instances.provisioning.common import RETRY_AFTER
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from upstream.errors import (
    AuthenticationFailed,
    BalanceNotEnough,
    CallBudgetExhausted,
    NovitaError,
    NovitaUnavailable,
    QuotaExceeded,
    RateLimited,
    Source,
    UnreadableAnswer,
)

# The call budget is often empty for moments: only longer waits get an event.
BRIEF = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=1)
KEY_PAUSE = timedelta(seconds=5)
# Limit for the Retry-After of an outage; the breaker tries as often.
OUTAGE_PAUSE = timedelta(seconds=15)

_SAID: dict[WaitCode, str] = {
    WaitCode.NOVITA_UNREACHABLE: "Novita does not answer.",
    WaitCode.NOVITA_EDGE: "A proxy or gateway answers in place of Novita.",
    WaitCode.NOVITA_KEY_REFUSED: "Novita refuses the API key of this service; its operator must "
    "correct that.",
    WaitCode.BALANCE_NOT_ENOUGH: "The balance of this service's account at Novita is too low, or "
    "a limit of the account is reached; its operator must correct that.",
    WaitCode.QUOTA_EXCEEDED: "A limit of this service's account at Novita is reached, or its "
    "balance is too low; its operator must correct that.",
    WaitCode.RATE_LIMITED: "Novita accepts no more calls at the moment.",
    WaitCode.CATALOGUE_UNREADABLE: "The catalogue of Novita cannot be read at the moment.",
    WaitCode.CREATE_REFUSED: "Novita refuses to create instances at the moment.",
}
_OF_HOLD = {
    Hold.KEY_REFUSED: WaitCode.NOVITA_KEY_REFUSED,
    Hold.EDGE: WaitCode.NOVITA_EDGE,
    Hold.OUTAGE: WaitCode.NOVITA_UNREACHABLE,
    Hold.RATE: WaitCode.RATE_LIMITED,
}
_OF_ERROR: tuple[tuple[type[NovitaError], WaitCode], ...] = (
    (AuthenticationFailed, WaitCode.NOVITA_KEY_REFUSED),
    (BalanceNotEnough, WaitCode.BALANCE_NOT_ENOUGH),
    (QuotaExceeded, WaitCode.QUOTA_EXCEEDED),
    (RateLimited, WaitCode.RATE_LIMITED),
    (CallBudgetExhausted, WaitCode.RATE_LIMITED),
    (UnreadableAnswer, WaitCode.CATALOGUE_UNREADABLE),
    (NovitaUnavailable, WaitCode.NOVITA_UNREACHABLE),
)
_FAILURES = {
    WaitCode.NOVITA_UNREACHABLE: FailureCode.UPSTREAM_UNAVAILABLE,
    WaitCode.NOVITA_EDGE: FailureCode.UPSTREAM_UNAVAILABLE,
    WaitCode.NOVITA_KEY_REFUSED: FailureCode.UPSTREAM_UNAVAILABLE,
    WaitCode.CATALOGUE_UNREADABLE: FailureCode.UPSTREAM_UNAVAILABLE,
    WaitCode.CREATE_REFUSED: FailureCode.UPSTREAM_UNAVAILABLE,
    WaitCode.CREATE_IN_DOUBT: FailureCode.UPSTREAM_UNAVAILABLE,
    WaitCode.BALANCE_NOT_ENOUGH: FailureCode.BALANCE_NOT_ENOUGH,
    WaitCode.QUOTA_EXCEEDED: FailureCode.QUOTA_EXCEEDED,
}


def wait_for_permit(
    jobs: Sequence[Job], instances: Mapping[str, Instance], permit: Permit
) -> dict[int, Outcome]:
    """Put off jobs that may make no call now, and record why. For ``load``.

    Jobs that wait for the call budget come back one after the other, as it grows.
    """
    code = _OF_HOLD.get(permit.hold)
    if code is not None:
        note_waits(jobs, instances, Wait(code, _sentence(code, permit.message)))
    else:
        oldest = database_now() - BRIEF
        long = [job for job in jobs if instances[job.subject].created_at < oldest]
        unsaid = [job for job in long if not instances[job.subject].wait_code]
        note_waits(unsaid, instances, Wait(WaitCode.RATE_LIMITED, _BUDGET))
        return {
            job.pk: Again(permit.wait + limiter.time_of(number)) for number, job in enumerate(jobs)
        }
    return {job.pk: Again(permit.wait) for job in jobs}


_BUDGET = "This service has used up its call budget at Novita for the moment."


def wait_for(job: Job, instance: Instance, error: NovitaError) -> Outcome:
    """Wait after an error that is not the request's fault; nothing was created.

    Saves the instance, which is locked.
    """
    code = code_of(error)
    begin_wait(job, instance, Wait(code, _sentence(code, str(error))))
    return Again(_pause(instance, error, code))


def code_of(error: NovitaError) -> WaitCode:
    if error.source == Source.EDGE:
        return WaitCode.NOVITA_EDGE
    return next((code for kind, code in _OF_ERROR if isinstance(error, kind)), _UNKNOWN)


_UNKNOWN = WaitCode.CREATE_REFUSED


def doubt(error: NovitaError) -> Wait:
    return Wait(
        WaitCode.CREATE_IN_DOUBT,
        f"The answer to the create was lost ({error}), so a GPU may exist. It is searched for at "
        "Novita by its name before the create is sent again.",
    )


def _sentence(code: WaitCode, words: str) -> str:
    return f"{_SAID[code]} ({words})" if words else _SAID[code]


def _pause(instance: Instance, error: NovitaError, code: WaitCode) -> timedelta:
    """Novita's Retry-After; for balance, quota and refused creates, half of the time waited."""
    now = database_now()
    pause = RETRY_AFTER
    if error.retry_after:
        most = LONGEST_PAUSE if isinstance(error, RateLimited) else OUTAGE_PAUSE
        pause = min(timedelta(seconds=error.retry_after), most)
    elif code == WaitCode.NOVITA_KEY_REFUSED:
        pause = KEY_PAUSE
    elif code in (WaitCode.BALANCE_NOT_ENOUGH, WaitCode.QUOTA_EXCEEDED, WaitCode.CREATE_REFUSED):
        pause = max((now - (instance.waiting_since or now)) / 2, RETRY_AFTER)
    return min(pause, LONGEST_PAUSE, _time_left(instance, now))


def _time_left(instance: Instance, now: datetime) -> timedelta:
    """Time until the start deadline, at least 1 s: the failure must not wait for a pause."""
    if instance.start_deadline_at is None:
        return LONGEST_PAUSE
    return max(instance.start_deadline_at - now, timedelta(seconds=1))


def too_late(instance: Instance, last_error: str) -> Failure:
    """The failure of a create that could not be placed in time, with what it waited for."""
    text = "The instance could not be created before its start timeout."
    if not instance.wait_code or instance.waiting_since is None:
        last = f" Last error: {last_error}" if last_error else ""
        return Failure(FailureCode.STARTUP_TIMEOUT, f"{text}{last}")
    code = _FAILURES.get(WaitCode(instance.wait_code), FailureCode.STARTUP_TIMEOUT)
    since = f"{instance.waiting_since:%Y-%m-%d %H:%M:%S} UTC"
    return Failure(code, f"{text} It had waited since {since}: {instance.wait_message}")
