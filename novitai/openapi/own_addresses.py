"""What the OpenAPI document says of the service's own addresses, and of errors everywhere."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

from novitai import VERSION

Object = serializers.Serializer[Any]
TAG = ["Health"]
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


class Problem(Object):
    """A state in which the service does not do all of its work."""

    code = serializers.CharField(help_text="stable; docs/operations.md lists them")
    message = serializers.CharField(help_text="for people, with what to do")
    since = serializers.DateTimeField(required=False)


class Health(Object):
    """How the service is."""

    status = serializers.ChoiceField(["healthy", "unhealthy"])
    timestamp = serializers.DateTimeField()
    services = Services()
    problems = Problem(many=True, help_text="empty while all is well")
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

    code = serializers.CharField(help_text="stable; branch on it")
    message = serializers.CharField(help_text="for people")
    retryable = serializers.BooleanField(help_text="whether the same request may succeed later")
    suggestion = serializers.CharField(required=False, help_text="what to do next")
    details = serializers.JSONField(required=False)
    timestamp = serializers.DateTimeField()
    requestId = serializers.CharField()
    validationErrors = ValidationErrorDetail(many=True, required=False)


class ErrorResponse(Object):
    """Every answer that is not a success."""

    error = ErrorDetail()


_HEALTHY: dict[str, Any] = {
    "status": "healthy",
    "timestamp": "2023-12-01T10:30:00.000Z",
    "services": {"novitaApi": "up", "jobQueue": "up", "cache": "up"},
    "problems": [],
    "uptime": 3600,
    "version": VERSION,
    "performance": {
        "requestsPerMinute": 42.0,
        "averageResponseTime": 6.4,
        "errorRate": 0.0,
        "jobProcessingRate": 12.5,
    },
    "system": {
        "memory": {"usedMB": 2048, "totalMB": 8192, "rss": 96468992},
        "cpu": {"usage": 12.5, "loadAverage": [0.4, 0.3, 0.2]},
    },
    "dependencies": {
        "database": {"status": "up"},
        "novitaApi": {"status": "up"},
        "jobQueue": {"status": "up", "workers": 2, "oldestDueSeconds": 0.0},
        "cache": {"status": "up"},
    },
}
_UNHEALTHY = {
    **_HEALTHY,
    "status": "unhealthy",
    "services": {"novitaApi": "down", "jobQueue": "up", "cache": "up"},
    "problems": [
        {
            "code": "novita_key_refused",
            "message": "Novita refuses the key (NOVITA_API_KEY).",
            "since": "2023-12-01T10:29:10.000Z",
        }
    ],
    "dependencies": {**_HEALTHY["dependencies"], "novitaApi": {"status": "down"}},
}
_METRICS = """\
# HELP novitai_instances Instances by status.
# TYPE novitai_instances gauge
novitai_instances{status="running"} 3.0
"""


_UNREADABLE = OpenApiResponse(description="BAD_REQUEST: the request cannot be understood.")


def _answer(name: str, value: Any, status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=[str(status)])


HEALTH: dict[str, Any] = {
    "operation_id": "getHealth",
    "summary": "How the service is",
    "tags": TAG,
    "auth": [],
    "description": "503 in every state in which the service does not do all of its work, with "
    "words for each in problems: for people and monitors. Use /livez for restarts and /readyz "
    "for routing, which do not follow Novita.",
    "responses": {
        200: OpenApiResponse(Health, description="All is well."),
        400: _UNREADABLE,
        503: OpenApiResponse(Health, description="Something is not; problems says what."),
    },
    "examples": [_answer("Healthy", _HEALTHY), _answer("Unhealthy", _UNHEALTHY, 503)],
}
LIVEZ: dict[str, Any] = {
    "operation_id": "getLivez",
    "summary": "Whether this process answers",
    "tags": TAG,
    "auth": [],
    "description": "Asks nobody: a database that is down must not restart the process.",
    "responses": {200: OpenApiResponse(Alive, description="It answers."), 400: _UNREADABLE},
    "examples": [_answer("Alive", {"status": "alive"})],
}
READYZ: dict[str, Any] = {
    "operation_id": "getReadyz",
    "summary": "Whether requests should come here",
    "tags": TAG,
    "auth": [],
    "description": "For load balancers: the database can be written and its migrations are "
    "applied. Ready while Novita is down and while no worker lives: what is accepted waits "
    "unharmed. Answers under any Host header.",
    "responses": {
        200: OpenApiResponse(Readiness, description="Requests may come."),
        400: _UNREADABLE,
        503: OpenApiResponse(Readiness, description="Not now; reasons says why."),
    },
    "examples": [
        _answer("Ready", {"status": "ready"}),
        _answer(
            "Not ready",
            {
                "status": "not ready",
                "reasons": ["Migrations are not applied: manage.py migrate."],
            },
            503,
        ),
    ],
}
METRICS: dict[str, Any] = {
    "operation_id": "getMetrics",
    "summary": "Metrics as Prometheus text",
    "description": "The jobs, instances and messages of the project. A key with the scope "
    "`metrics` or `admin` sees those of all projects, the requests, the workers and the account at "
    "Novita, too; `metrics` opens this address and no other.",
    "tags": TAG,
    "examples": [
        OpenApiExample(
            "An extract",
            _METRICS,
            response_only=True,
            status_codes=["200"],
            media_type="text/plain",
        )
    ],
    "responses": {
        (200, "text/plain"): OpenApiResponse(str, description="Format version 0.0.4."),
        # Named here once, so that the document defines what the hook in schema.py refers to.
        (401, "application/json"): ErrorResponse,
    },
}
