"""The job that makes an instance, or finds out what became of the attempt."""

from typing import Any

from egress.webhooks.urls import receiver_of
from instances.domain.enums import JobType
from instances.models import Instance
from jobs import queue
from jobs.models import Job, JobPriority


def enqueue_create(instance: Instance, *, request_id: str) -> None:
    """In the caller's transaction; a live job for the same instance is enough."""
    queue.enqueue(**_job(instance, request_id))


def new_create_job(instance: Instance, *, request_id: str) -> Job:
    """Of an instance that is not written yet either."""
    return queue.new_job(**_job(instance, request_id))


def _job(instance: Instance, request_id: str) -> dict[str, Any]:
    return {
        "type_": JobType.CREATE_INSTANCE,
        "payload": _payload(instance),
        "subject": instance.public_id,
        "project": instance.project,
        "priority": JobPriority.HIGH,
        "dedupe_key": f"create:{instance.public_id}",
        "request_id": request_id,
    }


def _payload(instance: Instance) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "instanceId": instance.public_id,
        "name": instance.name,
        "productName": instance.product_name,
        "templateId": instance.template_id,
        "gpuNum": instance.gpu_num,
        "rootfsSize": instance.rootfs_size_gb,
        "region": instance.region,
    }
    if instance.webhook_url:
        payload["webhookUrl"] = receiver_of(instance.webhook_url)
    return payload
