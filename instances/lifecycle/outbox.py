"""Webhook outbox: messages are written in the transaction of their event and sent in order."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from core.clock import iso
from instances.domain.enums import DeliveryStatus
from instances.lifecycle.jobs import enqueue_webhook, new_webhook_job
from instances.lifecycle.representation import instance_details
from instances.models import Instance, InstanceEvent, WebhookDelivery


def message(event: InstanceEvent) -> list[Model]:
    """Rows of an event's webhook, to be written with the event; empty without a receiver.

    Contains a job only if no earlier message is pending: the end of that one enqueues the next. The
    instance is locked, or new.
    """
    instance = event.instance
    if not instance.webhook_url:
        return []
    delivery = WebhookDelivery(
        project=instance.project, instance=instance, event=event, payload=webhook_payload(event)
    )
    if _has_pending(instance):
        return [delivery]
    return [delivery, new_webhook_job(delivery, request_id=event.request_id)]


def _has_pending(instance: Instance) -> bool:
    if instance._state.adding:
        return False
    pending = WebhookDelivery.objects.filter(instance=instance, status=DeliveryStatus.PENDING)
    return pending.exists()


def enqueue_next(request_ids: Mapping[int, str]) -> None:
    """Enqueue the job of each instance's first pending message.

    ``request_ids`` by instance pk. The instances are locked.
    """
    first = (
        WebhookDelivery.objects.filter(
            instance__in=list(request_ids), status=DeliveryStatus.PENDING
        )
        .select_related("instance", "project")
        .order_by("instance_id", "id")
        .distinct("instance_id")
    )
    for delivery in first:
        enqueue_webhook(delivery, request_id=request_ids[delivery.instance_id])


def webhook_payload(event: InstanceEvent) -> dict[str, Any]:
    """Body of a message, fixed at the event so that all retries send the same."""
    instance = event.instance
    payload: dict[str, Any] = {
        "type": event.type,
        "timestamp": iso(event.occurred_at),
        "eventId": event.public_id,
        "sequence": event.sequence,
        "instanceId": instance.public_id,
        "status": instance.status,
        "elapsedTime": int((event.occurred_at - instance.created_at).total_seconds() * 1000),
        "data": instance_details(instance, now=event.occurred_at),
    }
    if instance.upstream_id:
        payload["novitaInstanceId"] = instance.upstream_id
    if instance.error_message:
        payload["error"] = instance.error_message
    if event.request_id:
        payload["requestId"] = event.request_id
    return payload
