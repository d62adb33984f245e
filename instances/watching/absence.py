"""When something is gone: two direct looks some time apart, and not too much at once."""

from datetime import datetime, timedelta

from django.conf import settings

from instances import billing
from instances.choices import InstanceStatus, StatusReason
from instances.models import Instance
from instances.transitions import change_status, record_event
from instances.types import Cause, Reason

BETWEEN_LOOKS = timedelta(seconds=10)
# So many at once, and so large a share of all, is more likely Novita's mistake than the truth.
MANY = 3
LARGE_SHARE = 5


def is_brake_on(*, vanished: int, held: int) -> bool:
    """Three or more, and over a fifth of everything that we hold."""
    return vanished >= MANY and vanished * LARGE_SHARE > held


def is_proven(instance: Instance, now: datetime) -> bool:
    """Note that a direct look found nothing; true when an earlier one did so, long enough ago.

    Saves nothing. Whoever sees it alive forgets the earlier look, and charges for it again.
    """
    if instance.absence_seen_at is None:
        billing.close_unseen(instance, now)
        instance.absence_seen_at = now
        return False
    return now - instance.absence_seen_at >= BETWEEN_LOOKS


def is_perhaps_too_young(instance: Instance, now: datetime) -> bool:
    """Made a moment ago and never seen: Novita may not show it yet, so not finding it proves
    nothing before CREATE_SETTLE is over.
    """
    if instance.upstream_seen_at is not None or instance.posted_at is None:
        return False
    return now < instance.posted_at + timedelta(seconds=settings.CONFIG.create_settle)


def conclude(instance: Instance, *, cause: Cause, now: datetime) -> None:
    """It is gone, and nobody here had it ended: terminated, or a failed one that was kept."""
    instance.upstream_gone_at = now
    if instance.status == InstanceStatus.FAILED:
        record_event(instance, "instance.gone", cause=cause, now=now, is_told=True)
        return
    reason = Reason(StatusReason.DELETED_AT_NOVITA, "It was deleted at Novita.")
    instance.action = ""
    change_status(instance, InstanceStatus.TERMINATED, cause=cause, now=now, reason=reason)
