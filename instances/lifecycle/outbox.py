"""Webhooks that must go out: written in the transaction of the event, sent by jobs in order."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from core.clock import iso
from egress.webhooks.urls import receiver_of
from instances.domain.enums import DeliveryStatus, JobType
from instances.lifecycle.representation import instance_details
from instances.models import InstanceEvent, WebhookDelivery
from jobs import queue
from jobs.models import JobPriority


def add(event: InstanceEvent) -> None:
    """Queue the webhook of an event, if the instance has a receiver. The instance is locked."""
    instance = event.instance
    if not instance.webhook_url:
        return
    pending = WebhookDelivery.objects.filter(instance=instance, status=DeliveryStatus.PENDING)
    is_first = not pending.exists()
    delivery = _new_delivery(event)
    delivery.save()
    if is_first:
        _enqueue(delivery, request_id=event.request_id)


def of_first_event(event: InstanceEvent) -> list[Model]:
    """As ``add`` for an instance that is new, rows to be written with it: message and job."""
    if not event.instance.webhook_url:
        return []
    delivery = _new_delivery(event)
    return [delivery, queue.new_job(**_job(delivery, event.request_id))]


def _new_delivery(event: InstanceEvent) -> WebhookDelivery:
    instance = event.instance
    return WebhookDelivery(
        project=instance.project, instance=instance, event=event, payload=webhook_payload(event)
    )


def enqueue_next(request_ids: Mapping[int, str]) -> None:
    """Make the jobs of these instances' first pending messages; later ones wait for their end.

    By instance pk, with the request id that the job carries. The instances are locked.
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
        _enqueue(delivery, request_id=request_ids[delivery.instance_id])


def _enqueue(delivery: WebhookDelivery, *, request_id: str) -> None:
    queue.enqueue(**_job(delivery, request_id))


def _job(delivery: WebhookDelivery, request_id: str) -> dict[str, Any]:
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
