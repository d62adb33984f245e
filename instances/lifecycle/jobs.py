"""Every job about an instance: what it carries, how urgent it is, and what keeps it single.

``enqueue_...`` writes in the caller's transaction; where a live job with the same key exists, that
one is enough. ``new_..._job`` gives a row that ``inserts.insert`` writes together with what it is
about.
"""

import hashlib
from datetime import datetime
from typing import Any

from django.conf import settings

from core.clock import iso
from egress.webhooks.urls import receiver_of
from instances.domain.enums import Action, JobType
from instances.models import Instance, UpstreamEnding, WebhookDelivery
from jobs import queue
from jobs.models import Job, JobPriority

# What stops costing money goes before everything else.
ACTION_JOBS = {
    Action.START: (JobType.START_INSTANCE, JobPriority.HIGH),
    Action.STOP: (JobType.STOP_INSTANCE, JobPriority.CRITICAL),
    Action.RESTART: (JobType.RESTART_INSTANCE, JobPriority.HIGH),
}


def new_create_job(instance: Instance, *, request_id: str) -> Job:
    """The job that makes an instance, which is new itself."""
    return queue.new_job(**_create(instance, request_id))


def enqueue_create(instance: Instance, *, request_id: str = "") -> None:
    """The job that makes an instance, or finds out what became of the attempt."""
    queue.enqueue(**_create(instance, request_id))


def _create(instance: Instance, request_id: str) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "instanceId": instance.public_id,
        "name": instance.name,
        "productName": instance.product_name,
        "templateId": instance.template_id,
        "gpuNum": instance.gpu_num,
        "rootfsSize": instance.rootfs_size_gb,
        "region": instance.region,
    }
    return {
        "type_": JobType.CREATE_INSTANCE,
        "payload": payload | _receiver(instance),
        "subject": instance.public_id,
        "project": instance.project,
        "priority": JobPriority.HIGH,
        "dedupe_key": f"create:{instance.public_id}",
        "request_id": request_id,
    }


def enqueue_monitor(instance: Instance, *, at: datetime, request_id: str = "") -> None:
    """The job that looks at an instance until it has come to rest."""
    payload = {
        "instanceId": instance.public_id,
        "novitaInstanceId": instance.upstream_id,
        "startTime": iso(instance.created_at),
        "maxWaitTime": int(settings.CONFIG.instance_start_timeout * 1000),
    }
    queue.enqueue(
        JobType.MONITOR_INSTANCE,
        payload=payload | _receiver(instance),
        subject=instance.public_id,
        project=instance.project,
        priority=JobPriority.HIGH,
        dedupe_key=f"monitor:{instance.public_id}",
        request_id=request_id,
        run_at=at,
    )


def enqueue_action(instance: Instance, *, request_id: str = "") -> None:
    """The job that sends start, stop or restart, whichever was accepted last."""
    action = Action(instance.action)
    job_type, priority = ACTION_JOBS[action]
    queue.enqueue(
        job_type,
        payload={"instanceId": instance.public_id, "novitaInstanceId": instance.upstream_id},
        subject=instance.public_id,
        project=instance.project,
        priority=priority,
        dedupe_key=f"{action}:{instance.public_id}",
        request_id=request_id,
    )


def enqueue_termination(
    ending: UpstreamEnding, instance: Instance, *, request_id: str = ""
) -> None:
    """The job that deletes a GPU until its absence is proven."""
    queue.enqueue(
        JobType.TERMINATE_INSTANCE,
        payload={"instanceId": instance.public_id, "novitaInstanceId": ending.upstream_id},
        subject=instance.public_id,
        project=instance.project,
        priority=JobPriority.CRITICAL,
        dedupe_key=f"terminate:{ending.account}:{ending.upstream_id}",
        request_id=request_id,
    )


def new_webhook_job(delivery: WebhookDelivery, *, request_id: str) -> Job:
    """The job that sends a message, which is new itself."""
    return queue.new_job(**_webhook(delivery, request_id))


def enqueue_webhook(delivery: WebhookDelivery, *, request_id: str) -> None:
    """The job that sends a message whose turn has come."""
    queue.enqueue(**_webhook(delivery, request_id))


def _webhook(delivery: WebhookDelivery, request_id: str) -> dict[str, Any]:
    instance = delivery.instance
    return {
        "type_": JobType.SEND_WEBHOOK,
        "payload": {
            "deliveryId": delivery.public_id,
            # The address itself is read from the instance when it is sent.
            "url": receiver_of(instance.webhook_url),
            "payload": delivery.payload,
        },
        "subject": instance.public_id,
        "project": delivery.project,
        "priority": JobPriority.NORMAL,
        "dedupe_key": f"webhook:{delivery.public_id}",
        "request_id": request_id,
    }


def enqueue_template_look_up(template_id: str, *, request_id: str) -> Job:
    """The job that reads a template from Novita into the cache."""
    return queue.enqueue(
        JobType.LOOK_UP_TEMPLATE,
        payload={"templateId": template_id},
        priority=JobPriority.HIGH,
        dedupe_key=f"template:{hashlib.sha256(template_id.encode()).hexdigest()}",
        request_id=request_id,
    )


def _receiver(instance: Instance) -> dict[str, str]:
    return {"webhookUrl": receiver_of(instance.webhook_url)} if instance.webhook_url else {}
