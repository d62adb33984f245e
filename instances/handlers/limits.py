"""enforce_limits: ends instances past their runtime limit, after a warning; recurring.

Also shows paused job types on instances. Reads the rows in each run and keeps no state.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value

from core.clock import database_now, iso
from instances.domain.enums import InstanceStatus, OnStartFailure, StatusReason
from instances.domain.types import Reason
from instances.lifecycle import pauses
from instances.lifecycle.transitions import record_event
from instances.models import Instance
from instances.models.instance import InstanceQuerySet
from instances.models.locking import cause_of
from instances.novita import installation
from instances.services.terminate import begin_termination
from jobs.engine import leasing
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Outcome

EVERY = timedelta(seconds=5)
MOST_AT_ONCE = 200
HALF_LIFE = ExpressionWrapper(
    F("max_runtime_minutes") * Value(timedelta(seconds=30)), output_field=DurationField()
)
ENDING = (InstanceStatus.TERMINATING, InstanceStatus.TERMINATED)


class EnforceLimits(Handler[None, None]):
    """Uses only the rows and the clock; no network."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[None] | Resolved]:
        held = installation.paused_if_copy(jobs)
        if held:
            return held
        for job in jobs:
            now = database_now()
            _warn(job, now)
            _end(job, now)
            pauses.tell(job, now)
        return [Resolved({job.pk: Again(at=_next(database_now())) for job in jobs})]

    def call(self, work: None) -> None:
        return None

    def apply(self, jobs: Sequence[Job], work: None, result: None) -> Mapping[int, Outcome]:
        return {}


def _limited() -> InstanceQuerySet:
    """Held instances with an end, without those that are already being ended."""
    failed = Q(status=InstanceStatus.FAILED, on_start_failure=OnStartFailure.TERMINATE)
    held = Instance.objects.holding().exclude(expires_at=None)
    return held.exclude(status__in=ENDING).exclude(failed)


def _end(job: Job, now: datetime) -> None:
    """End due instances, one transaction each: a locked row must not delay the others."""
    due = _limited().filter(expires_at__lte=now).order_by("expires_at")
    for public_id in due.values_list("public_id", flat=True)[:MOST_AT_ONCE]:
        with transaction.atomic():
            instance = _locked(job, public_id)
            if instance is None or instance.expires_at is None or instance.expires_at > now:
                continue
            minutes = instance.max_runtime_minutes
            message = f"Its maximum runtime of {minutes} minutes is over."
            reason = Reason(StatusReason.RUNTIME_LIMIT, message)
            begin_termination(instance, cause=cause_of(job, message), now=now, reason=reason)


def _warn(job: Job, now: datetime) -> None:
    """Warn once: EXPIRY_WARNING seconds before the end, or at half of a shorter runtime."""
    soon = now + _lead()
    due = _limited().filter(expiry_warned_at=None, expires_at__lte=soon).order_by("expires_at")
    # Condition in the query: otherwise many short runtimes could use up the LIMIT.
    due = due.annotate(half_time=F("expires_at") - HALF_LIFE).filter(half_time__lte=now)
    for public_id in due.values_list("public_id", flat=True)[:MOST_AT_ONCE]:
        with transaction.atomic():
            instance = _locked(job, public_id)
            if instance is None or instance.expiry_warned_at or not _is_near(instance, now):
                continue
            assert instance.expires_at is not None  # noqa: S101 - _is_near
            instance.expiry_warned_at = now
            data = {"expiresAt": iso(instance.expires_at)}
            cause = cause_of(job, f"it is terminated at {iso(instance.expires_at)}")
            record_event(
                instance, "instance.expiring", cause=cause, now=now, data=data, is_told=True
            )


def _is_near(instance: Instance, now: datetime) -> bool:
    if instance.expires_at is None:
        return False
    half = timedelta(minutes=(instance.max_runtime_minutes or 0) / 2)
    return instance.expires_at - now <= min(_lead(), half)


def _locked(job: Job, public_id: str) -> Instance | None:
    """The locked instance, if it may still be ended and this worker still holds the job."""
    if not leasing.lock_owned([job]):
        return None
    return (
        Instance.objects.select_for_update(of=["self"])
        .select_related("project")
        .filter(public_id=public_id)
        .exclude(status__in=ENDING)
        .first()
    )


def _next(now: datetime) -> datetime:
    """Time of the next run: after EVERY, or at the next end if that is earlier."""
    soonest = _limited().filter(expires_at__gt=now).order_by("expires_at").first()
    later = now + EVERY
    if soonest is None or soonest.expires_at is None:
        return later
    return min(later, soonest.expires_at)


def _lead() -> timedelta:
    return timedelta(seconds=settings.CONFIG.expiry_warning)
