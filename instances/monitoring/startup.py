"""Evaluates observations of starting instances: first starts, and later starts and restarts."""

from datetime import datetime, timedelta

from django.conf import settings

from instances.domain.enums import (
    Action,
    FailureCode,
    InstanceStatus,
    OnStartFailure,
    StatusReason,
)
from instances.domain.money import usd_text
from instances.domain.schedule import next_observation
from instances.domain.types import Failure, Reason
from instances.lifecycle import addresses
from instances.lifecycle.terminations import begin_ending
from instances.lifecycle.transitions import change_status, fail
from instances.models import Instance
from instances.models.locking import cause_of
from instances.monitoring import absence, shutdown, trouble
from instances.monitoring.observation import Observation
from instances.monitoring.steady import MIGRATING
from instances.services.power_actions import STOP, begin
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from upstream.types import UpstreamInstance
from upstream.vocabulary import STATUSES

# Added to the deadline while Novita could not be asked: the instance may be running. Limited, since
# an unobserved instance costs money.
UNSEEN_GRACE = timedelta(minutes=2)
# After a restart, `running` may be from before it; after a start without effect, `exited` stays.
RESTART_SHOWS = timedelta(seconds=10)
START_SHOWS = timedelta(seconds=60)
# Words without work in progress. A pull may take until the start deadline; unknown words count as
# work.
_NO_WORK = (STATUSES.words | {"nothing"}) - {"pulling", "running"}


def evaluate(
    instance: Instance,
    observation: Observation | None,
    job: Job,
    now: datetime,
    *,
    is_last_resort: bool,
    is_usable: bool = True,
) -> Outcome | None:
    """Evaluate an observation, if there is one; None: observe again.

    ``is_usable``: no readiness probe, or it has just passed.
    """
    is_last_resort = is_last_resort and observation is None
    is_ready = is_usable and _is_ready(instance, is_last_resort=is_last_resort)
    if instance.ready_at is not None:
        return _evaluate_restart(instance, observation, job, now, is_ready=is_ready)
    failure = _failure(instance, observation, now)
    if failure is not None:
        return _fail(instance, failure, job, now)
    if is_ready:
        return _become_running(instance, job, now)
    has_just_arrived = observation is not None and observation.is_of_a_running_instance
    late = None if has_just_arrived and is_usable else _lateness(instance, observation, now)
    return _fail(instance, late, job, now) if late else None


def disappeared(instance: Instance, job: Job, now: datetime) -> Outcome | None:
    """Evaluate a first start that was not found: it goes on until its deadline.

    Before that, the reconciler may conclude that it was deleted at Novita.
    """
    absence.suspect(instance, cause=cause_of(job, "Novita did not find its id"), now=now)
    late = _lateness(instance, None, now)
    return _fail(instance, late, job, now) if late else None


def fail_unmonitored(instance: Instance, error: str, *, job: Job, now: datetime) -> None:
    """The monitor job failed permanently: end the GPU, which is no longer observed."""
    failure = Failure(FailureCode.INTERNAL_ERROR, f"Monitoring failed permanently: {error[:500]}")
    _fail(instance, failure, job, now)


def _failure(instance: Instance, observation: Observation | None, now: datetime) -> Failure | None:
    """Why it can never run or must not run, by this observation."""
    seen = observation.seen if observation is not None else None
    if seen is None:
        return None
    is_at_its_end = seen.is_stopped or seen.is_leaving_word
    if is_at_its_end and seen.failure_reason:
        return Failure(FailureCode.STARTUP_FAILED, f"Novita: {seen.failure_reason}")
    if not seen.is_running and trouble.has_lasted(instance, now):
        return Failure(FailureCode.STARTUP_FAILED, instance.trouble_message)
    if is_at_its_end:
        message = f"Novita shows it as {seen.status} before it ever ran."
        return Failure(FailureCode.STARTUP_FAILED, message)
    return _too_expensive(instance, seen.price_e5_usd)


def _too_expensive(instance: Instance, price_e5_usd: int | None) -> Failure | None:
    """Failure if the price rose above the cap between the price check and the create."""
    cap = instance.max_price_per_hour_e5_usd
    if cap is None or not price_e5_usd or price_e5_usd * instance.gpu_num <= cap:
        return None
    total, most = usd_text(price_e5_usd * instance.gpu_num), usd_text(cap)
    message = f"Novita charges {total} USD an hour for it, and no more than {most} is allowed."
    return Failure(FailureCode.PRICE_ABOVE_CAP, message)


def _is_ready(instance: Instance, *, is_last_resort: bool) -> bool:
    return instance.upstream_status == "running" and (instance.has_details or is_last_resort)


def _become_running(instance: Instance, job: Job, now: datetime) -> Outcome:
    instance.ready_at = instance.ready_at or now
    instance.action = instance.probe_error = ""
    data = {"upstreamStatus": instance.upstream_status}
    words = "and its readiness probe passed" if instance.readiness_probe else ""
    cause = cause_of(job, f"Novita shows it running {words}".strip())
    change_status(instance, InstanceStatus.RUNNING, cause=cause, now=now, data=data)
    return Again(at=next_observation(now)) if addresses.is_monitoring_needed(instance) else Done()


def _lateness(instance: Instance, observation: Observation | None, now: datetime) -> Failure | None:
    """Failure past the start deadline, or without progress for INSTANCE_STUCK_TIMEOUT."""
    grace = timedelta(0) if observation is not None else UNSEEN_GRACE
    deadline, last = instance.start_deadline_at, instance.upstream_status or "nothing"
    if deadline is not None and deadline + grace <= now:
        limit = (deadline - instance.created_at).total_seconds()
        message = f"Not running after {limit:.0f} s; {_last_words(instance, last)}."
        return Failure(FailureCode.STARTUP_TIMEOUT, message)
    stuck = timedelta(seconds=settings.CONFIG.instance_stuck_timeout)
    since = instance.upstream_changed_at
    is_waiting = observation is not None and last in _NO_WORK
    if is_waiting and since is not None and now - since >= stuck:
        message = f"No progress for {stuck.total_seconds():.0f} s: Novita still says {last}."
        return Failure(FailureCode.STARTUP_TIMEOUT, message)
    return None


def _last_words(instance: Instance, status: str) -> str:
    if status == "running" and instance.probe_error:
        return f"Novita shows it running, but its readiness probe fails: {instance.probe_error}"
    reports = f" and reports: {instance.trouble_message}" if instance.trouble_message else ""
    return f"Novita last said {status}{reports}"


def _fail(instance: Instance, failure: Failure, job: Job, now: datetime) -> Outcome:
    """Fail the instance and end its GPU, unless the owner wants it kept."""
    fail(instance, failure, cause=cause_of(job, failure.message), now=now)
    if _must_end(instance, failure):
        cause = cause_of(job, f"ended after {failure.code}")
        begin_ending(instance, instance.upstream_id, cause=cause, now=now)
    return Done()


def _must_end(instance: Instance, failure: Failure) -> bool:
    """Whether the GPU must end; above the price cap always."""
    is_kept = instance.on_start_failure == OnStartFailure.KEEP
    is_too_expensive = failure.code == FailureCode.PRICE_ABOVE_CAP
    return not is_kept or is_too_expensive


def _evaluate_restart(
    instance: Instance,
    observation: Observation | None,
    job: Job,
    now: datetime,
    *,
    is_ready: bool,
) -> Outcome | None:
    """Evaluate a later start or restart: on a failure, its disk is kept."""
    seen = observation.seen if observation is not None else None
    if seen is not None and seen.is_stopped:
        return _stays_stopped(instance, seen, job, now)
    if is_ready and _has_begun_anew(instance, observation, now):
        return _become_running(instance, job, now)
    if is_ready:
        # The addresses are from before the restart.
        addresses.forget(instance)
    if seen is not None and instance.start_deadline_at and instance.start_deadline_at <= now:
        message = f"It did not start again in time; {_last_words(instance, seen.status)}."
        reason = Reason(StatusReason.STARTUP_TIMEOUT, message)
        if seen.status == MIGRATING:
            # Novita stops nothing that is migrating, and it does not run.
            return shutdown.stopped(instance, job, now, reason, seen)
        begin(instance, STOP, cause=cause_of(job, message), now=now, reason=reason)
        return None
    return None


def _stays_stopped(
    instance: Instance, seen: UpstreamInstance, job: Job, now: datetime
) -> Outcome | None:
    """`exited`: a failure, or a start that Novita has not begun or never will."""
    accepted = instance.action_accepted_at
    if instance.action and accepted is None:
        return None
    error = seen.failure_reason
    waits_since = accepted or instance.status_changed_at
    changed = instance.upstream_changed_at
    # The error of an earlier failure stays until the next start.
    has_failed_anew = bool(error) and changed is not None and changed > waits_since
    if not has_failed_anew and now - waits_since < START_SHOWS:
        return None
    reason = Reason(
        StatusReason.STARTUP_TIMEOUT, "Novita accepted the start, but the instance did not start."
    )
    if error:
        reason = Reason(StatusReason.CRASHED, f"Novita: {error}")
    return shutdown.stopped(instance, job, now, reason, seen)


def _has_begun_anew(instance: Instance, observation: Observation | None, now: datetime) -> bool:
    """Whether `running` is newer than the restart: after another word, or after RESTART_SHOWS.

    Novita's times are not used: they are whole seconds of another clock.
    """
    if instance.action != Action.RESTART:
        return not instance.action or instance.action_accepted_at is not None
    accepted, seen_at = instance.action_accepted_at, instance.upstream_seen_at
    if accepted is None or (observation is None and (seen_at is None or seen_at <= accepted)):
        return False
    changed = instance.upstream_changed_at
    has_changed = changed is not None and changed > accepted
    return has_changed or now - accepted >= RESTART_SHOWS
