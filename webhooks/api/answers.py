"""What the API answers about webhooks."""

import json
from typing import Annotated, Any, Self

from pydantic import Field

from core.answers import Answer, JsonObject, Moment, OneOf, page_of
from webhooks.models import (
    Attempt,
    BacklogPolicy,
    Delivery,
    DeliveryStatus,
    Endpoint,
    EndpointKind,
    Message,
    Replay,
    ReplayStatus,
    Signature,
)
from webhooks.services.replays import counts


class EndpointDetails(Answer):
    """An endpoint; secrets, headers and basic auth are never shown."""

    id: str
    kind: Annotated[str, OneOf(EndpointKind)] = Field(
        description="project: made here; instance: by the webhookUrl of an instance"
    )
    receiver: str = Field(description="scheme and host; the rest of the URL may be a secret")
    eventTypes: list[str] = Field(description="empty: all that need no subscription by name")
    signature: Annotated[str, OneOf(Signature.values)]
    payloadVersion: int
    onBacklog: Annotated[str, OneOf(BacklogPolicy.values)]
    enabled: bool
    headerNames: list[str] = Field(description="of the headers that are sent with each message")
    hasBasicAuth: bool
    createdAt: Moment
    instanceId: str | None = None
    description: str | None = None
    publicKey: str | None = Field(None, description="whpk_…, of an endpoint that signs with v1a")
    previousSecretUntil: Moment | None = Field(
        None, description="until when messages are signed with the former secret too"
    )
    disabledAt: Moment | None = None
    disabledReason: str | None = None
    failingSince: Moment | None = Field(
        None, description="since the first failure after the last success"
    )
    lastSuccessAt: Moment | None = Field(None, description="to the minute")
    lastFailureAt: Moment | None = None
    lastError: str | None = None

    @classmethod
    def of(cls, row: Endpoint) -> Self:
        return cls(**cls.fields(row))

    @staticmethod
    def fields(row: Endpoint) -> dict[str, Any]:
        return {
            "id": row.public_id,
            "kind": row.kind,
            "receiver": row.origin,
            "eventTypes": row.event_types,
            "signature": row.signature,
            "payloadVersion": row.payload_version,
            "onBacklog": row.on_backlog,
            "enabled": row.is_enabled,
            "headerNames": sorted(row.headers),
            "hasBasicAuth": bool(row.basic_auth),
            "createdAt": row.created_at,
            "instanceId": row.subject or None,
            "description": row.description or None,
            "publicKey": row.public_key or None,
            "previousSecretUntil": row.previous_secret_until,
            "disabledAt": row.disabled_at,
            "disabledReason": row.disabled_reason or None,
            "failingSince": row.failing_since,
            "lastSuccessAt": row.last_success_at,
            "lastFailureAt": row.last_failure_at,
            "lastError": row.last_error or None,
        }


class NewEndpoint(EndpointDetails):
    """An endpoint with its secret, which is shown this once."""

    secret: str | None = Field(
        None, description="whsec_…, shown once; absent with v1a, whose publicKey is enough"
    )

    @classmethod
    def of(cls, row: Endpoint) -> Self:
        is_shared = row.signature == Signature.V1
        return cls(**cls.fields(row), secret=str(row.secret) if is_shared else None)


class SigningSecret(Answer):
    """The secret that signs messages to the webhookUrl of instances."""

    secret: str = Field(description="whsec_…")
    previousSecretUntil: Moment | None = Field(
        None, description="until when the former secret signs too"
    )


class AttemptDetails(Answer):
    """One request to the receiver."""

    number: int
    startedAt: Moment
    durationMs: int
    delivered: bool
    statusCode: int | None = None
    error: str | None = None
    answer: str | None = Field(None, description="the first 1,000 characters of the answer's body")
    address: str | None = Field(None, description="the address connected to")

    @classmethod
    def of(cls, row: Attempt) -> Self:
        return cls(
            number=row.number,
            startedAt=row.started_at,
            durationMs=row.duration_ms,
            delivered=row.is_delivered,
            statusCode=row.status_code,
            error=row.error or None,
            answer=str(row.answer) or None,
            address=row.address or None,
        )


class DeliveryDetails(Answer):
    """A message for one endpoint."""

    id: str
    messageId: str = Field(description="sent as webhook-id")
    endpointId: str
    type: str
    status: Annotated[str, OneOf(DeliveryStatus)]
    attempts: int
    createdAt: Moment
    instanceId: str | None = None
    isBehind: bool | None = Field(
        None, description="true: waits for an earlier message of its instance"
    )
    isReplay: bool | None = None
    replayId: str | None = None
    nextAttemptAt: Moment | None = None
    endedAt: Moment | None = None
    lastStatusCode: int | None = None
    lastError: str | None = None

    @classmethod
    def of(cls, row: Delivery) -> Self:
        return cls(**cls.fields(row))

    @staticmethod
    def fields(row: Delivery) -> dict[str, Any]:
        return {
            "id": row.public_id,
            "messageId": row.message.public_id,
            "endpointId": row.endpoint.public_id,
            "type": row.type,
            "status": row.status,
            "attempts": row.attempts,
            "createdAt": row.created_at,
            "instanceId": row.message.subject or None,
            "isBehind": (getattr(row, "is_behind", False) and row.status == "pending") or None,
            "isReplay": row.is_replay or None,
            "replayId": row.replay.public_id if row.replay is not None else None,
            "nextAttemptAt": row.next_attempt_at,
            "endedAt": row.ended_at,
            "lastStatusCode": row.last_status_code,
            "lastError": row.last_error or None,
        }


class DeliveryWithAttempts(DeliveryDetails):
    """A delivery with its message and its attempts, newest first."""

    message: JsonObject = Field(description="the body, as it is sent")
    history: list[AttemptDetails] = Field(description="at most the last 50")

    @classmethod
    def of(cls, row: Delivery) -> Self:
        attempts = Attempt.objects.filter(delivery=row).order_by("-id")[:50]
        return cls(
            **cls.fields(row),
            message=json.loads(row.message.body),
            history=[AttemptDetails.of(attempt) for attempt in attempts],
        )


class TestResult(Answer):
    """What became of a test message."""

    deliveryId: str
    delivered: bool | None = Field(None, description="absent: not known yet, look at the delivery")
    statusCode: int | None = None
    durationMs: int | None = None
    error: str | None = None
    answer: str | None = Field(None, description="the first 1,000 characters of the answer's body")

    @classmethod
    def of(cls, delivery: Delivery, last: Attempt | None) -> Self:
        return cls(
            deliveryId=delivery.public_id,
            delivered=delivery.status == DeliveryStatus.DELIVERED,
            statusCode=delivery.last_status_code,
            durationMs=last.duration_ms if last is not None else None,
            error=delivery.last_error or None,
            answer=(str(last.answer) or None) if last is not None else None,
        )


class ReplayDetails(Answer):
    """A replay and how far it is."""

    id: str
    endpointId: str
    status: Annotated[str, OneOf(ReplayStatus)]
    since: Moment
    until: Moment
    types: list[str]
    onlyFailed: bool
    queued: int = Field(description="messages that were taken up to now")
    delivered: int
    pending: int
    failed: int
    createdAt: Moment
    instanceId: str | None = None
    endedAt: Moment | None = None

    @classmethod
    def of(cls, row: Replay) -> Self:
        by_status = counts(row)
        return cls(
            id=row.public_id,
            endpointId=row.endpoint.public_id,
            status=row.status,
            since=row.since,
            until=row.until,
            types=row.types,
            onlyFailed=row.only_failed,
            queued=row.queued,
            delivered=by_status.get(DeliveryStatus.DELIVERED, 0),
            pending=by_status.get(DeliveryStatus.PENDING, 0),
            failed=by_status.get(DeliveryStatus.FAILED, 0),
            createdAt=row.created_at,
            instanceId=row.subject or None,
            endedAt=row.ended_at,
        )


class FeedEvent(Answer):
    """A message as endpoints get it."""

    id: str = Field(description="the message's id, sent as webhook-id")
    type: str
    createdAt: Moment
    message: JsonObject = Field(description="the body")
    instanceId: str | None = None

    @classmethod
    def of(cls, row: Message) -> Self:
        return cls(
            id=row.public_id,
            type=row.type,
            createdAt=row.created_at,
            message=json.loads(row.body),
            instanceId=row.subject or None,
        )


class Feed(Answer):
    """Messages after a cursor, oldest first."""

    events: list[FeedEvent]
    hasMore: bool
    nextCursor: str = Field(description="pass it as cursor to get what comes after these")


class PeriodStats(Answer):
    """Attempts of a period."""

    hours: int
    attempts: int
    delivered: int
    successRate: float | None = Field(None, description="0 to 1; absent without attempts")
    p50Ms: int | None = None
    p95Ms: int | None = None


class EndpointStats(Answer):
    """How an endpoint does."""

    periods: list[PeriodStats] = Field(description="the last 24 hours and the last 7 days")
    pending: int
    oldestPendingAt: Moment | None = None
    lastError: str | None = None
    lastSuccessAt: Moment | None = None
    lastFailureAt: Moment | None = None


EndpointList = page_of("WebhookEndpointList", "A page of endpoints.", endpoints=EndpointDetails)
DeliveryList = page_of("WebhookDeliveryList", "A page of deliveries.", deliveries=DeliveryDetails)
ReplayList = page_of("WebhookReplayList", "A page of replays.", replays=ReplayDetails)
