"""The verbs on instances: one function, one transaction each; no network.

Locks are taken in one order everywhere: job rows first (by the runner), then the instance, then
what hangs on it.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Project
from instances.choices import InstanceStatus, JobType
from instances.database_clock import database_now
from instances.estimates import median_start
from instances.models import Instance
from instances.transitions import record_event
from instances.types import Cause, Wish
from jobs import queue
from jobs.crashpoints import crashpoint
from jobs.models import JobPriority


@dataclass(frozen=True, slots=True)
class Created:
    """A new instance and when it can be expected to run."""

    instance: Instance
    estimated_ready_at: datetime


def create_instance(*, project: Project, wish: Wish, cause: Cause) -> Created:
    """Accept a wish: instance, first event, create job and first webhook, in one commit."""
    with transaction.atomic():
        now = database_now()
        instance = Instance(
            project=project,
            created_at=now,
            status_changed_at=now,
            start_deadline_at=now + timedelta(seconds=settings.CONFIG.instance_start_timeout),
            **asdict(wish),
        )
        record_event(
            instance, "instance.creating", cause=cause, now=now, after=InstanceStatus.CREATING
        )
        queue.enqueue(
            JobType.CREATE_INSTANCE,
            payload=_create_payload(instance),
            subject=instance.public_id,
            project=project,
            priority=JobPriority.HIGH,
            dedupe_key=f"create:{instance.public_id}",
            request_id=cause.request_id,
        )
        crashpoint("accept.before_commit")
    crashpoint("accept.after_commit")
    return Created(instance, now + median_start(wish.product_name))


def _create_payload(instance: Instance) -> dict[str, Any]:
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
        payload["webhookUrl"] = instance.webhook_url
    return payload
