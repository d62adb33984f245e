"""The one JSON form of an instance, in answers and in webhooks, and of an event, in lists and in
streams. Each class renders it and is its schema in the OpenAPI document.

A new field: in the class, in its ``of``, in COLUMNS; then ``manage.py write_api_documents``.
"""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, PlainSerializer, SkipValidation, WithJsonSchema

from core.answers import Answer, JsonObject, OneOf
from core.answers import Moment as PlainMoment
from instances.domain.enums import (
    BillingMode,
    FailureCode,
    InstanceStatus,
    StatusReason,
    WaitCode,
)
from instances.domain.money import usd_text
from instances.lifecycle.charges import cost_so_far_e5_usd
from instances.models import Instance, InstanceEvent

Moment = Annotated[
    PlainMoment,
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2023-12-01T10:00:00.000Z"]}
    ),
]
# From 1/100,000 US dollars to a decimal string: money is no float.
Usd = Annotated[
    int,
    PlainSerializer(usd_text),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\.\d{2,5}$", "examples": ["0.35"]}),
]
Status = Annotated[str, OneOf(InstanceStatus)]


# What an instance is shown by: lists read no more of its row.
COLUMNS = (
    *("public_id", "name", "status", "gpu_num", "region", "product_name", "product_id"),
    *("template_id", "rootfs_size_gb", "billing_mode", "tags", "port_mappings", "created_at"),
    *("connection", "upstream_id", "upstream_status", "started_at", "ready_at", "ended_at"),
    *("expires_at", "max_runtime_minutes", "spot_noticed_at", "spot_reclaim_at"),
    *("readiness_probe", "probe_error", "error_code", "error_message", "reason_code"),
    *("reason_message", "trouble_code", "trouble_message", "wait_code", "wait_message"),
    *("waiting_since", "placement", "max_price_per_hour_e5_usd", "price_e5_usd"),
    *("closed_cost_e5_usd", "billing_since", "absence_seen_at", "upstream_seen_at", "posted_at"),
)


class PortMapping(Answer):
    """A port of the container and where it can be reached."""

    port: int
    type: str
    endpoint: str


class ConnectionDetails(Answer):
    """How to get in."""

    ssh: str | None = None
    jupyter: str | None = None
    webTerminal: str | None = None


class Product(Answer):
    """What was asked for by name and, once chosen, its id at Novita."""

    name: str
    id: str | None = None


class InstanceFailure(Answer):
    """Why an instance failed."""

    code: Annotated[str, OneOf(FailureCode)]
    message: str

    @classmethod
    def of(cls, instance: Instance) -> Self | None:
        if not instance.error_code:
            return None
        return cls(code=instance.error_code, message=instance.error_message)


class StatusReasonDetails(Answer):
    """Why an instance is where nobody asked for it to be (reclaimed, stopped at Novita, ...), or
    what Novita reports of it at present: STARTUP_TROUBLE, NOVITA_REPORTS, UNKNOWN_STATUS, LEAVING.
    """

    code: Annotated[str, OneOf(StatusReason)]
    message: str

    @classmethod
    def of(cls, instance: Instance) -> Self | None:
        """What Novita reports counts more; a failure has its own field."""
        if instance.trouble_code and instance.reason_code != StatusReason.NOT_SEEN_AT_NOVITA:
            return cls(code=instance.trouble_code, message=instance.trouble_message)
        if not instance.reason_code:
            return None
        return cls(code=instance.reason_code, message=instance.reason_message)


class WaitDetails(Answer):
    """Why the creation of an instance does not go on at the moment; it goes on by itself when the
    reason has passed, until the start deadline.
    """

    code: Annotated[str, OneOf(WaitCode)]
    message: str
    since: Moment

    @classmethod
    def of(cls, instance: Instance) -> Self | None:
        since = instance.waiting_since
        if not instance.wait_code or since is None:
            return None
        return cls(code=instance.wait_code, message=instance.wait_message, since=since)


class InstanceDetails(Answer):
    """An instance as far as it is known; optional fields are absent until they are."""

    id: str
    name: str
    status: Status
    gpuNum: int
    region: str
    product: Product
    templateId: str
    rootfsSize: int = Field(description="GB")
    billingMode: Annotated[str, OneOf(BillingMode)]
    # JSON columns are rendered as stored: a row of another release's shape must not fail its list.
    tags: SkipValidation[dict[str, str]]
    portMappings: SkipValidation[list[PortMapping]]
    createdAt: Moment
    events: str = Field(description="link")
    jobs: str = Field(description="link")
    connectionDetails: SkipValidation[ConnectionDetails | None] = None
    novitaInstanceId: str | None = None
    novitaStatus: str | None = None
    startedAt: Moment | None = None
    readyAt: Moment | None = None
    endedAt: Moment | None = None
    expiresAt: Moment | None = Field(None, description="terminated then")
    maxRuntimeMinutes: int | None = None
    spotNoticeAt: Moment | None = Field(
        None, description="since when a notice of a spot reclaim stands"
    )
    spotReclaimAt: Moment | None = Field(
        None, description="when the notice comes true, if Novita says so"
    )
    readinessProbe: JsonObject | None = Field(
        None, description="as requested; running means that it has passed"
    )
    # For people: a port or host and what is missing, without path, token or password.
    readinessError: str | None = Field(
        None,
        description="what the probe said last, while it has not passed",
        examples=["port 8888 answered 503, not 200"],
    )
    error: InstanceFailure | None = None
    statusReason: StatusReasonDetails | None = None
    waiting: WaitDetails | None = None
    placement: JsonObject | None = Field(None, description="the chosen offer, and why")
    maxPricePerHourUsd: Usd | None = Field(None, description="all GPUs together")
    pricePerHourUsd: Usd | None = Field(None, description="all GPUs together")
    costUsd: Usd | None = Field(
        None,
        description="so far, by Novita's clock where it tells; else exact to about an observation "
        "per start",
    )

    @classmethod
    def of(cls, instance: Instance, *, now: datetime) -> Self:
        """``now`` ends the cost of a living instance. A named tuple of COLUMNS will do."""
        price = instance.price_e5_usd
        has_cost = price is not None and instance.started_at is not None
        return cls(
            id=instance.public_id,
            name=instance.name,
            status=instance.status,
            gpuNum=instance.gpu_num,
            region=instance.region,
            product=Product(name=instance.product_name, id=instance.product_id or None),
            templateId=instance.template_id,
            rootfsSize=instance.rootfs_size_gb,
            billingMode=instance.billing_mode,
            tags=instance.tags,
            portMappings=instance.port_mappings,
            createdAt=instance.created_at,
            events=f"/api/instances/{instance.public_id}/events",
            jobs=f"/api/jobs?instance={instance.public_id}",
            connectionDetails=instance.connection or None,
            novitaInstanceId=instance.upstream_id or None,
            novitaStatus=instance.upstream_status or None,
            startedAt=instance.started_at,
            readyAt=instance.ready_at,
            endedAt=instance.ended_at,
            expiresAt=instance.expires_at,
            maxRuntimeMinutes=instance.max_runtime_minutes or None,
            spotNoticeAt=instance.spot_noticed_at,
            spotReclaimAt=instance.spot_reclaim_at,
            readinessProbe=instance.readiness_probe or None,
            readinessError=instance.probe_error or None,
            error=InstanceFailure.of(instance),
            statusReason=StatusReasonDetails.of(instance),
            waiting=WaitDetails.of(instance),
            placement=instance.placement or None,
            maxPricePerHourUsd=instance.max_price_per_hour_e5_usd,
            pricePerHourUsd=None if price is None else price * instance.gpu_num,
            costUsd=cost_so_far_e5_usd(instance, now) if has_cost else None,
        )


class Event(Answer):
    """One thing that happened to an instance."""

    id: str
    instanceId: str
    sequence: int
    type: str
    occurredAt: Moment
    actor: str
    fromStatus: str | None = None
    toStatus: str | None = None
    cause: str | None = None
    requestId: str | None = None
    jobId: str | None = None
    data: JsonObject | None = None

    @classmethod
    def of(cls, event: InstanceEvent, instance_public_id: str) -> Self:
        return cls(
            id=event.public_id,
            instanceId=instance_public_id,
            sequence=event.sequence,
            type=event.type,
            occurredAt=event.occurred_at,
            actor=event.actor,
            fromStatus=event.from_status or None,
            toStatus=event.to_status or None,
            cause=event.cause or None,
            requestId=event.request_id or None,
            jobId=event.job_id or None,
            data=event.data or None,
        )
