"""Ending GPUs at Novita for good: begun in the transaction that finds one to be ended."""

from datetime import datetime

from instances.choices import JobType
from instances.models import Instance, UpstreamEnding
from instances.transitions import record_event
from instances.types import Cause
from jobs import queue
from jobs.models import JobPriority


def begin_ending(instance: Instance, upstream_id: str, *, cause: Cause, now: datetime) -> None:
    """Make sure that this GPU ends; a second call changes nothing. The instance is locked."""
    ending, is_new = UpstreamEnding.objects.get_or_create(
        account=instance.upstream_account,
        upstream_id=upstream_id,
        defaults={
            "project": instance.project,
            "instance": instance,
            "reason": cause.reason[:300],
        },
    )
    if not is_new:
        return
    data = {"novitaInstanceId": upstream_id}
    record_event(instance, "instance.ending_begun", cause=cause, now=now, data=data)
    queue.enqueue(
        JobType.TERMINATE_INSTANCE,
        payload={"instanceId": instance.public_id, "novitaInstanceId": upstream_id},
        subject=instance.public_id,
        project=instance.project,
        priority=JobPriority.CRITICAL,
        dedupe_key=f"terminate:{ending.account}:{upstream_id}",
        request_id=cause.request_id,
    )
