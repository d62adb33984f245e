"""Evaluates observations of starting, stopping and migrating instances, and first gets by id."""

from datetime import datetime, timedelta

from instances.domain.enums import TRANSITIONAL_STATUSES, InstanceStatus
from instances.domain.schedule import next_observation
from instances.lifecycle import addresses
from instances.models import Instance
from instances.models.locking import cause_of
from instances.monitoring import absence, location, shutdown, snapshot, startup, steady, trouble
from instances.monitoring.observation import Observation, ObservationResult
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from upstream.types import UpstreamJob

# Pause while an instance is not found: 200 such rows would use the whole call budget.
UNSEEN_PAUSE = timedelta(seconds=20)


def is_monitored(instance: Instance) -> bool:
    """Whether it is in transition, or running with addresses still to be read by id."""
    if instance.status == InstanceStatus.RUNNING:
        return addresses.is_monitoring_needed(instance)
    return instance.status in TRANSITIONAL_STATUSES


def observe(
    instance: Instance,
    observation: Observation | None,
    *,
    job: Job,
    now: datetime,
    next_at: datetime | None = None,
    is_last_resort: bool = False,
    unusable: str | None = None,
    failed_move: UpstreamJob | None = None,
) -> ObservationResult:
    """Update the locked instance by an observation, and decide the outcome of the job.

    A change of status is saved at once; other changes are left to ``save_observations``, for all
    rows together. ``next_at``: next observation, if not by the poll interval. ``is_last_resort``: a
    list showed it running and this is the get by id for its connect blocks; without them, it
    becomes running and is read again later. ``unusable``: error of the readiness probe, "" if it
    passed, None if it did not run. ``failed_move``: Novita's failed migration job.
    """
    if not is_monitored(instance):
        return ObservationResult(Done())
    before = snapshot.observed_values(instance)
    if unusable is not None:
        instance.probe_error = unusable[:300]
    if failed_move is not None and shutdown.has_failed_to_move(
        instance, observation, failed_move, now
    ):
        return ObservationResult(shutdown.stay_behind(instance, failed_move, job, now))
    outcome = _decide(
        instance, observation, job, now, is_last_resort=is_last_resort, unusable=unusable
    )
    if outcome is None:
        has_arrived = observation is not None and observation.is_of_a_running_instance
        is_to_be_asked = bool(instance.readiness_probe) and unusable is None
        is_shown_by_list = observation is not None and not observation.has_details
        is_unread = is_shown_by_list and not instance.has_details
        is_to_be_read = has_arrived and (is_unread or is_to_be_asked)
        outcome = Again() if is_to_be_read else Again(at=next_at or next_observation(now))
        if instance.absence_seen_at is not None:
            outcome = Again(UNSEEN_PAUSE)
    return ObservationResult(outcome, is_to_be_saved=snapshot.observed_values(instance) != before)


def _decide(
    instance: Instance,
    observation: Observation | None,
    job: Job,
    now: datetime,
    *,
    is_last_resort: bool,
    unusable: str | None,
) -> Outcome | None:
    """Evaluate an observation; None: observe again. Saves whole rows."""
    is_first_start = instance.status == InstanceStatus.STARTING and instance.ready_at is None
    if observation is not None and observation.is_gone:
        if is_first_start:
            return startup.disappeared(instance, job, now)
        _gone(instance, job, now)
        return None
    if observation is not None and observation.seen is not None:
        location.follow(instance, observation, cause_of(job, ""), now)
        snapshot.apply(instance, observation, now)
        if instance.status != InstanceStatus.RUNNING:
            trouble.note(instance, observation.seen, cause_of(job, ""), now)
    if instance.status == InstanceStatus.STARTING:
        is_usable = not instance.readiness_probe or unusable == ""
        return startup.evaluate(
            instance, observation, job, now, is_last_resort=is_last_resort, is_usable=is_usable
        )
    if instance.status == InstanceStatus.RUNNING:
        return _read(instance, observation, job, now)
    return _stop(instance, observation, job, now)


def _stop(
    instance: Instance, observation: Observation | None, job: Job, now: datetime
) -> Outcome | None:
    """Follow an instance that is already starting again when its stop is noticed."""
    outcome = shutdown.evaluate(instance, observation, job, now)
    is_stopped = instance.status == InstanceStatus.STOPPED
    if (
        is_stopped
        and observation is not None
        and steady.evaluate(instance, observation, job=job, now=now)
    ):
        return None
    return outcome


def _gone(instance: Instance, job: Job, now: datetime) -> None:
    """Nobody asked for its end: the reconciler weighs what speaks for it, and may conclude it."""
    absence.suspect(instance, cause=cause_of(job, "Novita did not find its id"), now=now)


def _read(
    instance: Instance, observation: Observation | None, job: Job, now: datetime
) -> Outcome | None:
    """Read the connect blocks of a running instance, or follow it if it no longer runs."""
    if observation is not None and steady.evaluate(instance, observation, job=job, now=now):
        return Done()
    return None if addresses.is_monitoring_needed(instance) else Done()
