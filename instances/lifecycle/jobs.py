"""Creates the jobs of this app: payload, priority and dedupe key.

``enqueue_...`` writes in the caller's transaction and does nothing if a live job has the same
dedupe key. ``new_..._job`` returns an unsaved row, to be written by ``core.inserts.insert``
together with the rows that it belongs to.
"""

import hashlib
from datetime import datetime
from typing import Any

from django.conf import settings

from core.clock import iso
from egress.webhooks.urls import receiver_of
from instances.domain.enums import Action, JobType
from instances.models import Instance, UpstreamEnding
from jobs import queue
from jobs.models import Job, JobPriority
from webhooks.models import Delivery

# Actions that stop costs have the highest priority.
ACTION_JOBS = {
    Action.START: (JobType.START_INSTANCE, JobPriority.HIGH),
    Action.STOP: (JobType.STOP_INSTANCE, JobPriority.CRITICAL),
    Action.RESTART: (JobType.RESTART_INSTANCE, JobPriority.HIGH),
}


def new_create_job(instance: Instance, *, request_id: str) -> Job:
    """Unsaved job that creates a new instance at Novita."""
    return queue.new_job(**_create(instance, request_id))


def enqueue_create(instance: Instance, *, request_id: str = "") -> None:
    """Job that creates an instance at Novita, or looks for the result of an earlier attempt."""
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
    """Job that observes an instance until its status is stable."""
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
    """Job that sends the accepted action (start, stop or restart) to Novita."""
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
    """Job that deletes a GPU until its absence is proven."""
    queue.enqueue(
        JobType.TERMINATE_INSTANCE,
        payload={"instanceId": instance.public_id, "novitaInstanceId": ending.upstream_id},
        subject=instance.public_id,
        project=instance.project,
        priority=JobPriority.CRITICAL,
        dedupe_key=f"terminate:{ending.account}:{ending.upstream_id}",
        request_id=request_id,
    )


def enqueue_undelivered(delivery: Delivery) -> None:
    """Job that tells in an instance's events that a message was given up."""
    queue.enqueue(
        JobType.RECORD_UNDELIVERED,
        payload={
            "messageId": delivery.message.public_id,
            "deliveryId": delivery.public_id,
            "endpointId": delivery.endpoint.public_id,
            "type": delivery.type,
            "attempts": delivery.attempts,
            "error": delivery.last_error,
        },
        subject=delivery.subject,
        project=delivery.project,
        priority=JobPriority.LOW,
        dedupe_key=f"undelivered:{delivery.public_id}:{delivery.attempts}",
        request_id=delivery.message.request_id,
    )


def enqueue_template_look_up(template_id: str, *, request_id: str) -> Job:
    """Job that reads a template from Novita into the cache."""
    return queue.enqueue(
        JobType.LOOK_UP_TEMPLATE,
        payload={"templateId": template_id},
        priority=JobPriority.HIGH,
        dedupe_key=f"template:{hashlib.sha256(template_id.encode()).hexdigest()}",
        request_id=request_id,
    )


def _receiver(instance: Instance) -> dict[str, str]:
    return {"webhookUrl": receiver_of(instance.webhook_url)} if instance.webhook_url else {}
