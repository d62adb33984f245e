"""Evaluates observations of stopping and migrating instances, until Novita shows the end."""

from datetime import datetime, timedelta

from django.conf import settings

from instances.domain.enums import Action, InstanceStatus, StatusReason
from instances.domain.types import Reason
from instances.lifecycle import addresses, charges
from instances.lifecycle.jobs import enqueue_action
from instances.lifecycle.transitions import change_status, record_event
from instances.models import Instance
from instances.models.locking import cause_of
from instances.monitoring import spot_history
from instances.monitoring.observation import Observation
from instances.monitoring.steady import FROZEN, MIGRATING, STARTING_WORDS, why_stopped
from jobs.models import Job
from jobs.outcomes import Done, Outcome
from upstream.types import UpstreamInstance, UpstreamJob

# An accepted action without an effect is sent again after this time.
EFFECT = timedelta(seconds=15)
# A migration may have begun this long before it was noticed here.
NOTICED_LATE = timedelta(minutes=10)


def evaluate(
    instance: Instance, observation: Observation | None, job: Job, now: datetime
) -> Outcome | None:
    """Evaluate an observation; None: observe again."""
    seen = observation.seen if observation is not None else None
    if seen is not None and seen.is_stopped:
        return stopped(instance, job, now, _why(instance, seen, now), seen)
    if seen is not None and (seen.status in FROZEN or _is_undone(instance, seen, now)):
        return stopped(instance, job, now, why_stopped(instance, seen, now), seen)
    if seen is not None and seen.is_running:
        if instance.status == InstanceStatus.MIGRATING:
            return _moved(instance, job, now)
        act_again(instance, now)
    if seen is not None:
        tell_if_stuck(instance, job, now)
    return None


def has_failed_to_move(
    instance: Instance, observation: Observation | None, failed: UpstreamJob, now: datetime
) -> bool:
    """Whether Novita's failed job belongs to this migration, and the status is still migrating.

    A job from long before does not count, unless the migration makes no progress for
    INSTANCE_STUCK_TIMEOUT.
    """
    seen = observation.seen if observation is not None else None
    is_migrating = instance.status == InstanceStatus.MIGRATING
    if not is_migrating or seen is None or seen.status != MIGRATING:
        return False
    stuck = timedelta(seconds=settings.CONFIG.instance_stuck_timeout)
    if now - instance.status_changed_at >= stuck:
        return True
    begun_at = failed.created_at
    return begun_at is not None and begun_at >= instance.status_changed_at - NOTICED_LATE


def stay_behind(instance: Instance, failed: UpstreamJob, job: Job, now: datetime) -> Outcome:
    """Stopped after a failed migration, with its disk: no request to end it exists."""
    why = f": {failed.error[:200]}" if failed.error else "."
    message = f"Novita could not move it to another machine{why}"
    return stopped(instance, job, now, Reason(StatusReason.MIGRATION_FAILED, message))


def _why(instance: Instance, seen: UpstreamInstance, now: datetime) -> Reason | None:
    """Reason of the stop; a spot reclaim may become visible only when the stop is complete."""
    is_asked_for_here = instance.action == Action.STOP
    if not is_asked_for_here and spot_history.is_reclaim(instance, seen, now):
        return why_stopped(instance, seen, now)
    return reason_of(instance)


def stopped(
    instance: Instance,
    job: Job,
    now: datetime,
    reason: Reason | None,
    seen: UpstreamInstance | None = None,
) -> Outcome:
    if seen is not None:
        spot_history.rest(instance, seen)
    if instance.upstream_status == MIGRATING:
        # Not charged: Novita leaves a failed migration in this word, and the GPU does not run.
        charges.close(instance, now)
    instance.action = ""
    cause = cause_of(job, reason.message if reason else "Novita shows it stopped")
    change_status(instance, InstanceStatus.STOPPED, cause=cause, now=now, reason=reason)
    return Done()


def _is_undone(instance: Instance, seen: UpstreamInstance, now: datetime) -> bool:
    """A stop at Novita whose end was not observed: the instance is starting or running again."""
    is_of_novita = instance.status == InstanceStatus.STOPPING and not instance.action
    is_up = seen.is_running or seen.status in STARTING_WORDS
    return is_of_novita and is_up and now - instance.status_changed_at >= EFFECT


def reason_of(instance: Instance) -> Reason | None:
    """Reason of the change at Novita; it also applies to the final status."""
    if instance.reason_code in ("", StatusReason.STUCK):
        return None
    return Reason(instance.reason_code, instance.reason_message)


def _moved(instance: Instance, job: Job, now: datetime) -> Outcome | None:
    cause = cause_of(job, "Novita shows it running again")
    change_status(instance, InstanceStatus.RUNNING, cause=cause, now=now)
    return None if addresses.is_monitoring_needed(instance) else Done()


def act_again(instance: Instance, now: datetime) -> None:
    """Send the accepted action again if it has had no effect."""
    accepted = instance.action_accepted_at
    if instance.action and accepted is not None and now - accepted >= EFFECT:
        instance.action_accepted_at = None
        instance.save(update_fields=["action_accepted_at"])
        enqueue_action(instance)


def tell_if_stuck(instance: Instance, job: Job, now: datetime) -> None:
    """Write one event if the status at Novita does not change for INSTANCE_STUCK_TIMEOUT.

    Observation goes on, and the owner may end the instance.
    """
    limit = timedelta(seconds=settings.CONFIG.instance_stuck_timeout)
    since = max(instance.upstream_changed_at or now, instance.status_changed_at)
    if now - since < limit or instance.reason_code == StatusReason.STUCK:
        return
    minutes = limit.total_seconds() / 60
    message = f"Novita has shown it as {instance.upstream_status} for {minutes:.0f} minutes."
    instance.reason_code, instance.reason_message = StatusReason.STUCK, message
    data = {"code": StatusReason.STUCK.value, "message": message}
    cause = cause_of(job, message)
    record_event(instance, "instance.stuck", cause=cause, now=now, data=data, is_told=True)
