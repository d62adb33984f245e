"""Webhooks that must go out: written in the transaction of the event, sent by jobs in order."""

from typing import Any

from instances.choices import DeliveryStatus, JobType
from instances.clock import iso
from instances.details import instance_details
from instances.models import Instance, InstanceEvent, WebhookDelivery
from jobs import queue
from jobs.models import JobPriority


def add(event: InstanceEvent) -> None:
    """Queue the webhook of an event, if the instance has a receiver. The instance is locked."""
    instance = event.instance
    if not instance.webhook_url:
        return
    delivery = WebhookDelivery.objects.create(
        project_id=instance.project_id,
        instance=instance,
        event=event,
        payload=webhook_payload(event),
    )
    enqueue_next(instance, request_id=event.request_id, unless_before=delivery)


def enqueue_next(
    instance: Instance, *, request_id: str = "", unless_before: WebhookDelivery | None = None
) -> None:
    """Make the job of the instance's first pending message; later ones wait for its end.

    With ``unless_before``, only if that message is itself the first.
    """
    first = (
        WebhookDelivery.objects.filter(instance=instance, status=DeliveryStatus.PENDING)
        .order_by("id")
        .first()
    )
    if first is None or (unless_before is not None and first.pk != unless_before.pk):
        return
    queue.enqueue(
        JobType.SEND_WEBHOOK,
        payload={
            "deliveryId": first.public_id,
            "url": instance.webhook_url,
            "payload": first.payload,
        },
        subject=instance.public_id,
        project=instance.project,
        priority=JobPriority.NORMAL,
        dedupe_key=f"webhook:{first.public_id}",
        request_id=request_id,
    )


def webhook_payload(event: InstanceEvent) -> dict[str, Any]:
    """The body of a message: frozen at the event, so that every retry says the same."""
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
