"""Applies the result of an action (start, stop, restart) that was or was not sent to Novita."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.clock import database_now
from instances.domain.enums import Action, InstanceStatus, StatusReason
from instances.domain.schedule import next_observation
from instances.domain.types import Reason
from instances.lifecycle.jobs import enqueue_monitor
from instances.lifecycle.transitions import change_status
from instances.models import Instance
from instances.models.locking import cause_of
from instances.monitoring import snapshot
from instances.monitoring.observation import Observation
from instances.monitoring.steady import FROZEN, MIGRATING, why_stopped
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from upstream.call_records import CallRecord
from upstream.errors import (
    AuthenticationFailed,
    InstanceNotFound,
    InsufficientResource,
    InvalidStateChange,
    NovitaError,
    NovitaRefused,
    Source,
)
from upstream.types import UpstreamInstance

SOON = timedelta(seconds=2)
AFTER_ERROR = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Changed:
    """The instance before the action, and whether the action is in progress; else the error."""

    calls: Sequence[CallRecord]
    seen: UpstreamInstance | None = None
    is_under_way: bool = False
    error: NovitaError | None = None


def apply_result(instance: Instance, result: Changed, job: Job) -> Outcome:
    """Apply the result. The instance is locked, and the action is still requested."""
    now = database_now()
    if result.seen is not None and not result.seen.is_gone_word:
        snapshot.apply(instance, Observation(result.seen), now)
    if result.is_under_way or _is_missing(result):
        return _left_to_monitoring(instance, job, now)
    error = result.error
    if error is not None and _is_final(instance, error):
        return _back(instance, InstanceStatus.STOPPED, _refusal(error), job, now)
    if result.seen is not None and _is_too_late(instance, result, result.seen, now):
        return _give_up(instance, result.seen, error, job, now)
    instance.save()
    if error is None or isinstance(error, InvalidStateChange):
        # Not possible in this status, or refused although it was done: the next run decides.
        return Again(SOON)
    return Again(
        timedelta(seconds=min(error.retry_after, 60)) if error.retry_after else AFTER_ERROR
    )


def _left_to_monitoring(instance: Instance, job: Job, now: datetime) -> Outcome:
    """In progress, or the instance may be gone: the monitor job observes what happens."""
    instance.action_accepted_at = now
    instance.save()
    enqueue_monitor(instance, at=next_observation(now), request_id=job.request_id)
    return Done()


def _is_missing(result: Changed) -> bool:
    is_gone = result.seen is not None and result.seen.is_gone_word
    return is_gone or isinstance(result.error, InstanceNotFound)


def _is_final(instance: Instance, error: NovitaError) -> bool:
    """Whether the error ends the action: only refused starts; stops and restarts are sent again.

    A refusal of unknown meaning (``is_outcome_unknown``) ends nothing before the deadline.
    """
    is_refused = isinstance(error, NovitaRefused) and not error.is_outcome_unknown
    if instance.action != Action.START or not is_refused:
        return False
    is_of_the_state = isinstance(error, InvalidStateChange | AuthenticationFailed)
    return not error.retryable and not is_of_the_state


def _refusal(error: NovitaError) -> Reason:
    """Reason of a refused start. A stop frees the GPU for others; the disk stays."""
    is_sold_out = isinstance(error, InsufficientResource)
    code = StatusReason.INSUFFICIENT_RESOURCE if is_sold_out else StatusReason.UPSTREAM_REJECTED
    return Reason(code, f"Novita refused to start it: {error}")


def _is_too_late(
    instance: Instance, result: Changed, seen: UpstreamInstance, now: datetime
) -> bool:
    """Whether a start or restart has failed. A stop has no deadline, since what runs costs money.

    False after an action whose answer was lost: it may still act.
    """
    error = result.error
    is_lost = error is not None and error.is_outcome_unknown and not _has_spoken(error)
    if instance.action == Action.STOP or is_lost:
        return False
    has_nothing_to_restart = instance.action == Action.RESTART and seen.is_stopped
    deadline = instance.start_deadline_at
    return has_nothing_to_restart or (deadline is not None and deadline <= now)


def _has_spoken(error: NovitaError) -> bool:
    """Whether Novita itself refused in unknown words; the get by id before it showed no effect."""
    return isinstance(error, NovitaRefused) and error.source is Source.NOVITA


def _give_up(
    instance: Instance, seen: UpstreamInstance, error: NovitaError | None, job: Job, now: datetime
) -> Outcome:
    """Set the status that Novita shows; while that is changing, leave it to the monitor job."""
    if seen.is_running:
        # The instance was read by id: access and addresses need no second read.
        snapshot.apply(instance, Observation(seen, has_details=True), now)
        snapshot.keep_access([instance], now=now)
        return _back(instance, InstanceStatus.RUNNING, _in_vain(seen, error), job, now)
    if seen.status in FROZEN or (instance.action == Action.RESTART and seen.is_stopped):
        return _back(instance, InstanceStatus.STOPPED, why_stopped(instance, seen, now), job, now)
    if seen.is_stopped or seen.status == MIGRATING:
        return _back(instance, InstanceStatus.STOPPED, _in_vain(seen, error), job, now)
    return _left_to_monitoring(instance, job, now)


def _in_vain(seen: UpstreamInstance, error: NovitaError | None) -> Reason:
    last = str(error) if error is not None else f"it is {seen.status}"
    code = StatusReason.STARTUP_TIMEOUT if error is None else StatusReason.UPSTREAM_REJECTED
    return Reason(code, f"Novita did not accept it in time; its last answer: {last}")


def _back(
    instance: Instance, to: InstanceStatus, reason: Reason, job: Job, now: datetime
) -> Outcome:
    instance.action = ""
    change_status(instance, to, cause=cause_of(job, reason.message), now=now, reason=reason)
    return Done()
