"""What the OpenAPI document says of the service's own addresses, and of errors everywhere."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

Object = serializers.Serializer[Any]
TAG = ["Service"]
_UP_OR_DOWN = ["up", "down"]


class Services(Object):
    """The parts this service cannot do without."""

    novitaApi = serializers.ChoiceField(_UP_OR_DOWN)
    jobQueue = serializers.ChoiceField(_UP_OR_DOWN)
    cache = serializers.ChoiceField(_UP_OR_DOWN)


class Performance(Object):
    """All web processes together, over about the last minute."""

    requestsPerMinute = serializers.FloatField()
    averageResponseTime = serializers.FloatField(help_text="milliseconds")
    errorRate = serializers.FloatField(help_text="share of answers with 5xx, 0 to 1")
    jobProcessingRate = serializers.FloatField(help_text="jobs ended per minute")


class Memory(Object):
    """Of the machine; rss of the answering process, in bytes."""

    usedMB = serializers.IntegerField()
    totalMB = serializers.IntegerField()
    rss = serializers.IntegerField()


class Cpu(Object):
    """Of the machine."""

    usage = serializers.FloatField(help_text="percent")
    loadAverage = serializers.ListField(child=serializers.FloatField())


class System(Object):
    """What the machine has left."""

    memory = Memory()
    cpu = Cpu()


class Health(Object):
    """How the service is."""

    status = serializers.ChoiceField(["healthy", "unhealthy"])
    timestamp = serializers.DateTimeField()
    services = Services()
    uptime = serializers.IntegerField(help_text="seconds")
    version = serializers.CharField()
    performance = Performance()
    system = System()
    dependencies = serializers.DictField()


class Alive(Object):
    """This process answers."""

    status = serializers.ChoiceField(["alive"])


class Readiness(Object):
    """Whether requests should come here, and if not, why."""

    status = serializers.ChoiceField(["ready", "not ready"])
    reasons = serializers.ListField(child=serializers.CharField(), required=False)


class ValidationErrorDetail(Object):
    """One bad field; the value as it was sent, cut at 200 characters, and never a secret."""

    field = serializers.CharField()
    message = serializers.CharField()
    value = serializers.JSONField(required=False)


class ErrorDetail(Object):
    """What went wrong, for programs (code) and people (message)."""

    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.JSONField(required=False)
    timestamp = serializers.DateTimeField()
    requestId = serializers.CharField()
    validationErrors = ValidationErrorDetail(many=True, required=False)


class ErrorResponse(Object):
    """Every answer that is not a success."""

    error = ErrorDetail()


_HEALTHY = {
    "status": "healthy",
    "timestamp": "2023-12-01T10:30:00.000Z",
    "services": {"novitaApi": "up", "jobQueue": "up", "cache": "up"},
    "uptime": 3600,
}

HEALTH: dict[str, Any] = {
    "operation_id": "getHealth",
    "summary": "How the service is",
    "tags": TAG,
    "auth": [],
    "responses": {200: Health, 503: Health},
    "examples": [
        OpenApiExample("Healthy (shortened)", _HEALTHY, response_only=True, status_codes=["200"])
    ],
}
LIVEZ: dict[str, Any] = {
    "operation_id": "getLivez",
    "summary": "Whether this process answers",
    "tags": TAG,
    "auth": [],
    "responses": {200: Alive},
}
READYZ: dict[str, Any] = {
    "operation_id": "getReadyz",
    "summary": "Whether requests should come here",
    "tags": TAG,
    "auth": [],
    "responses": {200: Readiness, 503: Readiness},
}
METRICS: dict[str, Any] = {
    "operation_id": "getMetrics",
    "summary": "Metrics as Prometheus text",
    "tags": TAG,
    "responses": {
        (200, "text/plain"): OpenApiResponse(str, description="format version 0.0.4"),
        # Named here once, so that the document defines what the hook in schema.py refers to.
        401: ErrorResponse,
    },
}
