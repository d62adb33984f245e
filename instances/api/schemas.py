"""What the API answers, for the OpenAPI document. ``lifecycle/representation.py`` writes the real
thing; a test keeps the two equal.
"""

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from instances.api.schema_fields import MomentField, Object, UsdField
from instances.domain.enums import (
    BillingMode,
    FailureCode,
    InstanceStatus,
    StatusReason,
    WaitCode,
)


@extend_schema_field({"type": "string", "examples": ["port 8888 answered 503, not 200"]})
class ProbeErrorField(serializers.CharField):
    """Words for people: a port or host and what is missing, without path, token or password."""


class CreatedInstance(Object):
    """The 201 answer."""

    instanceId = serializers.CharField()
    status = serializers.ChoiceField([InstanceStatus.CREATING.value])
    message = serializers.CharField()
    estimatedReadyTime = MomentField()


class AcceptedVerb(Object):
    """The 202 answer: the verb is under way, or has come true already."""

    instanceId = serializers.CharField()
    status = serializers.ChoiceField(InstanceStatus.choices)
    message = serializers.CharField()


class PortMapping(Object):
    """A port of the container and where it can be reached."""

    port = serializers.IntegerField()
    endpoint = serializers.CharField()
    type = serializers.CharField()


class ConnectionDetails(Object):
    """How to get in."""

    ssh = serializers.CharField(required=False)
    jupyter = serializers.CharField(required=False)
    webTerminal = serializers.CharField(required=False)


class Product(Object):
    """What was asked for by name and, once chosen, its id at Novita."""

    name = serializers.CharField()
    id = serializers.CharField(required=False)


class InstanceFailure(Object):
    """Why an instance failed."""

    code = serializers.ChoiceField(FailureCode.choices)
    message = serializers.CharField()


class StatusReasonDetails(Object):
    """Why an instance is where nobody asked for it to be (reclaimed, stopped at Novita, ...), or
    what Novita reports of it at present: STARTUP_TROUBLE, NOVITA_REPORTS, UNKNOWN_STATUS, LEAVING.
    """

    code = serializers.ChoiceField(StatusReason.choices)
    message = serializers.CharField()


class WaitDetails(Object):
    """Why the creation of an instance does not go on at the moment; it goes on by itself when the
    reason has passed, until the start deadline.
    """

    code = serializers.ChoiceField(WaitCode.choices)
    message = serializers.CharField()
    since = MomentField()


class InstanceDetails(Object):
    """An instance as far as it is known; optional fields are absent until they are."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(InstanceStatus.choices)
    gpuNum = serializers.IntegerField()
    region = serializers.CharField()
    product = Product()
    templateId = serializers.CharField()
    rootfsSize = serializers.IntegerField(help_text="GB")
    billingMode = serializers.ChoiceField(BillingMode.choices)
    tags = serializers.DictField(child=serializers.CharField(allow_blank=True))
    portMappings = PortMapping(many=True)
    connectionDetails = ConnectionDetails(required=False)
    createdAt = MomentField()
    startedAt = MomentField(required=False)
    readyAt = MomentField(required=False)
    endedAt = MomentField(required=False)
    novitaInstanceId = serializers.CharField(required=False)
    novitaStatus = serializers.CharField(required=False)
    pricePerHourUsd = UsdField(required=False, help_text="all GPUs together")
    costUsd = UsdField(
        required=False,
        help_text="so far, by Novita's clock where it tells; else exact to about a look per start",
    )
    maxPricePerHourUsd = UsdField(required=False, help_text="all GPUs together")
    maxRuntimeMinutes = serializers.IntegerField(required=False)
    readinessProbe = serializers.DictField(
        required=False, help_text="as requested; running means that it has passed"
    )
    readinessError = ProbeErrorField(
        required=False, help_text="what the probe said last, while it has not passed"
    )
    expiresAt = MomentField(required=False, help_text="terminated then")
    spotNoticeAt = MomentField(
        required=False, help_text="since when a notice of a spot reclaim stands"
    )
    spotReclaimAt = MomentField(
        required=False, help_text="when the notice comes true, if Novita says so"
    )
    placement = serializers.DictField(required=False, help_text="the chosen offer, and why")
    error = InstanceFailure(required=False)
    statusReason = StatusReasonDetails(required=False)
    waiting = WaitDetails(required=False)
    events = serializers.CharField(help_text="link")
    jobs = serializers.CharField(help_text="link")


@extend_schema_serializer(many=False)
class InstanceList(Object):
    """A page of instances, newest first."""

    instances = InstanceDetails(many=True)
    total = serializers.IntegerField(help_text="exact up to 10,000")
    totalIsCapped = serializers.BooleanField(required=False)
    hasMore = serializers.BooleanField()
    nextCursor = serializers.CharField(required=False)


class Event(Object):
    """One thing that happened to an instance."""

    id = serializers.CharField()
    instanceId = serializers.CharField()
    sequence = serializers.IntegerField()
    type = serializers.CharField()
    fromStatus = serializers.CharField(required=False)
    toStatus = serializers.CharField(required=False)
    occurredAt = MomentField()
    actor = serializers.CharField()
    cause = serializers.CharField(required=False)
    requestId = serializers.CharField(required=False)
    jobId = serializers.CharField(required=False)
    data = serializers.DictField(required=False)  # type: ignore[assignment]


@extend_schema_serializer(many=False)
class EventList(Object):
    """A page of events, oldest first."""

    events = Event(many=True)
    total = serializers.IntegerField()
    totalIsCapped = serializers.BooleanField(required=False)
    hasMore = serializers.BooleanField()
    nextCursor = serializers.CharField(required=False)


class SshCredentials(Object):
    """For a shell (``command``) and for programs."""

    command = serializers.CharField()
    host = serializers.CharField(required=False)
    port = serializers.IntegerField(required=False)
    username = serializers.CharField(required=False)
    password = serializers.CharField(required=False)


class WebTerminalCredentials(Object):
    """A shell in the browser."""

    url = serializers.CharField()
    username = serializers.CharField(required=False)
    password = serializers.CharField(required=False)


class JupyterCredentials(Object):
    """The address may carry the token that opens it."""

    url = serializers.CharField()


class Credentials(Object):
    """How to get into an instance; what its template does not offer is absent."""

    instanceId = serializers.CharField()
    ssh = SshCredentials(required=False)
    webTerminal = WebTerminalCredentials(required=False)
    jupyter = JupyterCredentials(required=False)
    updatedAt = MomentField(help_text="when Novita last said so")
