"""Takes back an instance that was concluded to be gone without a request to end it.

It is observed, charged and limited as before. Nothing is deleted because it was not seen.
"""

from datetime import datetime, timedelta

from django.conf import settings

from core.clock import iso
from instances.domain.enums import TRANSITIONAL_STATUSES, InstanceStatus
from instances.domain.schedule import next_observation
from instances.domain.types import Cause
from instances.lifecycle import charges
from instances.lifecycle.jobs import enqueue_monitor
from instances.lifecycle.transitions import change_status, record_event
from instances.models import Instance
from instances.monitoring.steady import FROZEN, MIGRATING, STARTING_WORDS, STOPPING_WORDS
from upstream.types import UpstreamInstance


def take_back(instance: Instance, seen: UpstreamInstance, *, cause: Cause, now: datetime) -> None:
    """terminated -> the status that Novita shows; a kept failed one stays failed. It is locked.

    Its credentials were deleted; the next get by id returns them.
    """
    data = {"novitaInstanceId": seen.id, "novitaStatus": seen.status}
    if instance.absence_seen_at is not None:
        data["unseenSince"] = iso(instance.absence_seen_at)
    charges.take_back(instance, seen, now=now)
    instance.absence_seen_at = instance.absence_looked_at = None
    instance.absence_looks = instance.absence_lists = 0
    instance.upstream_status, instance.upstream_changed_at = seen.status, now
    instance.upstream_seen_at = now
    instance.has_details = False
    if instance.status == InstanceStatus.FAILED:
        instance.upstream_gone_at = None
        record_event(instance, "instance.reappeared", cause=cause, now=now, data=data, is_told=True)
        return
    to = status_shown(seen, has_run=instance.ready_at is not None)
    if to == InstanceStatus.STARTING:
        limit = timedelta(seconds=settings.CONFIG.instance_start_timeout)
        instance.start_deadline_at = now + limit
    record_event(instance, "instance.reappeared", cause=cause, now=now, data=data)
    # In the same save as the status: a constraint requires terminated rows to be gone.
    instance.upstream_gone_at = None
    change_status(instance, to, cause=cause, now=now, is_comeback=True)
    if to in TRANSITIONAL_STATUSES or to == InstanceStatus.RUNNING:
        enqueue_monitor(instance, at=next_observation(now))


def status_shown(seen: UpstreamInstance, *, has_run: bool) -> InstanceStatus:
    """Status by Novita's word alone; with an unknown word, running if it has run before."""
    if seen.is_stopped or seen.status in FROZEN:
        return InstanceStatus.STOPPED
    if seen.status in STOPPING_WORDS:
        return InstanceStatus.STOPPING
    if seen.status == MIGRATING:
        return InstanceStatus.MIGRATING
    if seen.status in STARTING_WORDS or not has_run:
        return InstanceStatus.STARTING
    return InstanceStatus.RUNNING
