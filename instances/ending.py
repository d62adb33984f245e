"""Ending GPUs at Novita for good: begun in the transaction that finds one to be ended."""

from datetime import datetime

from instances.choices import InstanceStatus, JobType
from instances.models import Instance, UpstreamEnding
from instances.transitions import record_event
from instances.types import Cause
from jobs import queue
from jobs.models import JobPriority


def begin_ending(instance: Instance, upstream_id: str, *, cause: Cause, now: datetime) -> None:
    """Make sure that this GPU ends; a second call changes nothing. The instance is locked.

    One whose absence was proven, and which is there after all, is ended anew.
    """
    ending, is_new = UpstreamEnding.objects.get_or_create(
        account=instance.upstream_account,
        upstream_id=upstream_id,
        defaults={
            "project": instance.project,
            "instance": instance,
            "reason": cause.reason[:300],
        },
    )
    if not is_new and ending.confirmed_at is None:
        return
    if not is_new:
        _reopen(ending, instance)
    data = {"novitaInstanceId": upstream_id}
    record_event(instance, "instance.ending_begun", cause=cause, now=now, data=data)
    enqueue_ending(ending, instance, request_id=cause.request_id)


def enqueue_ending(ending: UpstreamEnding, instance: Instance, *, request_id: str = "") -> None:
    """Make sure that somebody ends it; a live job is enough."""
    queue.enqueue(
        JobType.TERMINATE_INSTANCE,
        payload={"instanceId": instance.public_id, "novitaInstanceId": ending.upstream_id},
        subject=instance.public_id,
        project=instance.project,
        priority=JobPriority.CRITICAL,
        dedupe_key=f"terminate:{ending.account}:{ending.upstream_id}",
        request_id=request_id,
    )


def _reopen(ending: UpstreamEnding, instance: Instance) -> None:
    ending.confirmed_at = ending.absence_seen_at = None
    ending.looks = 0
    ending.save(update_fields=["confirmed_at", "absence_seen_at", "looks"])
    is_its_own = instance.upstream_id == ending.upstream_id
    if is_its_own and instance.status != InstanceStatus.TERMINATED:
        instance.upstream_gone_at = None
