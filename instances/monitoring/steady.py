"""Evaluates observations of stable instances: running, stopped, or failed with the GPU kept.

No action is in progress, so changes come from Novita: its console, a spot reclaim, a lack of money,
a crash.
"""

from datetime import datetime, timedelta

from django.conf import settings

from instances.domain.enums import InstanceStatus, StatusReason
from instances.domain.schedule import next_observation
from instances.domain.types import Cause, Reason
from instances.lifecycle import addresses
from instances.lifecycle.jobs import enqueue_monitor
from instances.lifecycle.transitions import change_status
from instances.models import Instance
from instances.models.locking import cause_of
from instances.monitoring import absence, location, snapshot, spot_history, trouble
from instances.monitoring.observation import Observation
from jobs.models import Job
from upstream.types import UpstreamInstance

STARTING_WORDS = frozenset(
    {"pending", "toCreate", "creating", "pulling", "toStart", "starting"}
    | {"toRestart", "restarting", "toReset", "resetting"}
)
STOPPING_WORDS = frozenset({"toStop", "stopping"})
# Word for lack of money; the GPU does not run.
FROZEN = frozenset({"freezing"})
MIGRATING = "migrating"


def evaluate(
    instance: Instance,
    observation: Observation,
    *,
    job: Job | None,
    now: datetime,
    is_in_arrears: bool = False,
) -> bool:
    """Copy an observation and follow Novita's status. True if the status changed.

    The instance is locked and running, stopped or failed; without a change of status, the caller
    saves it. ``is_in_arrears``: the account has no money left, used as a reason if there is no
    other.
    """
    cause = cause_of(job, "") if job is not None else Cause("operator:reconcile")
    if observation.is_gone:
        # What this proves, and when, the reconciler weighs.
        absence.suspect(instance, cause=_because(cause, "Novita did not find its id"), now=now)
        return False
    assert observation.seen is not None  # noqa: S101 - not gone
    location.follow(instance, observation, cause, now)
    snapshot.apply(instance, observation, now)
    if instance.status == InstanceStatus.FAILED:
        return False
    trouble.note(instance, observation.seen, cause, now)
    if _follow(instance, observation.seen, cause, now, is_in_arrears=is_in_arrears):
        return True
    is_running = instance.status == InstanceStatus.RUNNING
    if is_running and (_is_doubtful(instance, observation) or addresses.are_due(instance, now)):
        _read_again(instance, now)
    return False


def _is_doubtful(instance: Instance, observation: Observation) -> bool:
    seen = observation.seen
    if seen is None or observation.has_details:
        return False
    return addresses.doubt(instance, seen, place=location.place_in_doubt(instance, seen))


def _read_again(instance: Instance, now: datetime) -> None:
    """Enqueue a get by id; only that may replace addresses. The known ones are shown meanwhile."""
    instance.has_details = False
    enqueue_monitor(instance, at=now)


def _follow(
    instance: Instance,
    seen: UpstreamInstance,
    cause: Cause,
    now: datetime,
    *,
    is_in_arrears: bool,
) -> bool:
    is_running = instance.status == InstanceStatus.RUNNING
    if is_running and seen.is_running:
        spot_history.tell_notice(instance, seen, cause, now)
    if is_running and (seen.is_stopped or seen.status in FROZEN):
        reason = why_stopped(instance, seen, now, is_in_arrears=is_in_arrears)
        spot_history.rest(instance, seen)
        _change(instance, InstanceStatus.STOPPED, reason, cause, now)
    elif is_running and seen.status in STOPPING_WORDS:
        reason = why_stopped(instance, seen, now)
        _set_off(instance, InstanceStatus.STOPPING, reason, cause, now)
    elif seen.status == MIGRATING and has_failed_to_move(instance):
        return False
    elif seen.status == MIGRATING:
        _set_off(instance, InstanceStatus.MIGRATING, _at_novita("migrated"), cause, now)
    elif seen.status in STARTING_WORDS or (seen.is_running and not is_running):
        _set_off(instance, InstanceStatus.STARTING, _at_novita("started"), cause, now)
    else:
        if not is_running:
            spot_history.rest(instance, seen)
        return False
    return True


def has_failed_to_move(instance: Instance) -> bool:
    """Novita leaves a failed migration in `migrating`: that word is then no change."""
    is_stopped = instance.status == InstanceStatus.STOPPED
    return is_stopped and instance.reason_code == StatusReason.MIGRATION_FAILED


def why_stopped(
    instance: Instance, seen: UpstreamInstance, now: datetime, *, is_in_arrears: bool = False
) -> Reason:
    """Reason of a stop, by the observation and the history before it; see ``monitoring.spot``."""
    if spot_history.is_reclaim(instance, seen, now):
        return Reason(StatusReason.SPOT_RECLAIMED, "Novita took the spot instance back.")
    if seen.status in FROZEN:
        return Reason(StatusReason.ARREARS, "Novita froze it: the account has no money.")
    if seen.failure_reason:
        return Reason(StatusReason.CRASHED, f"Novita: {seen.failure_reason}")
    if is_in_arrears:
        return Reason(StatusReason.ARREARS, "Novita stopped it: the account has no money.")
    return _at_novita("stopped")


def _at_novita(what: str) -> Reason:
    return Reason(StatusReason.CHANGED_AT_NOVITA, f"It was {what} at Novita, not by this service.")


def _set_off(
    instance: Instance, to: InstanceStatus, reason: Reason, cause: Cause, now: datetime
) -> None:
    """Change to a status in transition and enqueue the monitor job."""
    if to == InstanceStatus.STARTING:
        limit = timedelta(seconds=settings.CONFIG.instance_start_timeout)
        instance.start_deadline_at = now + limit
    _change(instance, to, reason, cause, now)
    enqueue_monitor(instance, at=next_observation(now))


def _change(
    instance: Instance, to: InstanceStatus, reason: Reason, cause: Cause, now: datetime
) -> None:
    instance.action = ""
    change_status(instance, to, cause=_because(cause, reason.message), now=now, reason=reason)


def _because(cause: Cause, reason: str) -> Cause:
    return Cause(cause.actor, reason, cause.request_id, cause.job_id)
