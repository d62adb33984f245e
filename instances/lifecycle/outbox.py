"""The messages that instances tell, written in the transaction of their event."""

from typing import Self

from pydantic import Field

from core.answers import Answer, Moment
from instances.lifecycle import former_outbox
from instances.lifecycle.representation import InstanceDetails, Status
from instances.models import InstanceEvent
from webhooks import outbox
from webhooks.outbox import Draft, Outgoing


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
    dataTruncated: bool | None = Field(
        None, description="true: data has only id and status, since the whole is over 20,000 bytes"
    )

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


def compose(event: InstanceEvent) -> Outgoing:
    """The message of an event and its deliveries, to be written with it. The instance is locked,
    or new.
    """
    instance = event.instance
    is_new = instance._state.adding
    if not is_new:
        # Messages of 0.5.0 that still wait come first.
        former_outbox.take_over(instance)
    return outbox.compose(
        Draft(
            project=instance.project,
            type=event.type,
            subject=instance.public_id,
            body=WebhookMessage.of(event).as_json(),
            request_id=event.request_id,
            own_url=instance.webhook_url,
            is_new=is_new,
        )
    )
