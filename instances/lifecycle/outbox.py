"""Webhook outbox: messages are written in the transaction of their event and sent in order."""

from collections.abc import Mapping
from typing import Self

from django.db.models import Model
from pydantic import Field

from core.answers import Answer, Moment
from instances.domain.enums import DeliveryStatus
from instances.lifecycle.jobs import enqueue_webhook, new_webhook_job
from instances.lifecycle.representation import InstanceDetails, Status
from instances.models import Instance, InstanceEvent, WebhookDelivery


class WebhookMessage(Answer):
    """What a receiver gets."""

    type: str = Field(description="what happened", examples=["instance.running"])
    timestamp: Moment
    eventId: str = Field(description="the event in the instance's timeline")
    sequence: int = Field(ge=1, description="its number there")
    instanceId: str
    status: Status
    elapsedTime: int = Field(description="milliseconds since the request")
    data: InstanceDetails
    novitaInstanceId: str | None = None
    error: str | None = Field(None, description="of a failed instance, for people")
    requestId: str | None = Field(None, description="of the request that led to it")

    @classmethod
    def of(cls, event: InstanceEvent) -> Self:
        """Frozen at the event, so that every retry says the same."""
        instance = event.instance
        return cls(
            type=event.type,
            timestamp=event.occurred_at,
            eventId=event.public_id,
            sequence=event.sequence,
            instanceId=instance.public_id,
            status=instance.status,
            elapsedTime=int((event.occurred_at - instance.created_at).total_seconds() * 1000),
            data=InstanceDetails.of(instance, now=event.occurred_at),
            novitaInstanceId=instance.upstream_id or None,
            error=instance.error_message or None,
            requestId=event.request_id or None,
        )


def message(event: InstanceEvent) -> list[Model]:
    """Rows of an event's webhook, to be written with the event; empty without a receiver.

    Contains a job only if no earlier message is pending: the end of that one enqueues the next. The
    instance is locked, or new.
    """
    instance = event.instance
    if not instance.webhook_url:
        return []
    delivery = WebhookDelivery(
        project=instance.project,
        instance=instance,
        event=event,
        payload=WebhookMessage.of(event).as_json(),
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
