"""The job that looks at an instance until it has come to rest."""

from datetime import datetime

from django.conf import settings

from core.clock import iso
from egress.webhooks.urls import receiver_of
from instances.domain.enums import JobType
from instances.models import Instance
from jobs import queue
from jobs.models import JobPriority


def enqueue_watch(instance: Instance, *, at: datetime, request_id: str = "") -> None:
    """In the caller's transaction; a live job for the same instance is enough."""
    queue.enqueue(
        JobType.MONITOR_INSTANCE,
        payload=_payload(instance),
        subject=instance.public_id,
        project=instance.project,
        priority=JobPriority.HIGH,
        dedupe_key=f"monitor:{instance.public_id}",
        request_id=request_id,
        run_at=at,
    )


def _payload(instance: Instance) -> dict[str, object]:
    payload: dict[str, object] = {
        "instanceId": instance.public_id,
        "novitaInstanceId": instance.upstream_id,
        "startTime": iso(instance.created_at),
        "maxWaitTime": int(settings.CONFIG.instance_start_timeout * 1000),
    }
    if instance.webhook_url:
        payload["webhookUrl"] = receiver_of(instance.webhook_url)
    return payload
