"""What the service's own addresses answer, and what the OpenAPI document says of them."""

from typing import Annotated, Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from pydantic import Field

from core.answers import Answer, JsonObject, Moment, Number, OneOf
from novitai import VERSION
from novitai.errors.answers import ErrorResponse

TAG = ["Health"]
UpOrDown = Annotated[str, OneOf(["up", "down"])]


class Services(Answer):
    """The parts this service cannot do without."""

    novitaApi: UpOrDown
    jobQueue: UpOrDown
    cache: UpOrDown


class Performance(Answer):
    """All web processes together, over about the last minute."""

    requestsPerMinute: Number
    averageResponseTime: Number = Field(description="milliseconds")
    errorRate: Number = Field(description="share of answers with 5xx, 0 to 1")
    jobProcessingRate: Number = Field(description="jobs ended per minute")


class Memory(Answer):
    """Of the machine; rss of the answering process, in bytes."""

    usedMB: int
    totalMB: int
    rss: int


class Cpu(Answer):
    """Of the machine."""

    usage: Number = Field(description="percent")
    loadAverage: list[Number]


class System(Answer):
    """What the machine has left."""

    memory: Memory
    cpu: Cpu


class Problem(Answer):
    """A state in which the service does not do all of its work."""

    code: str = Field(description="stable; docs/operations.md lists them")
    message: str = Field(description="for people, with what to do")
    since: Moment | None = None


class Health(Answer):
    """How the service is."""

    status: Annotated[str, OneOf(["healthy", "unhealthy"])]
    timestamp: Moment
    services: Services
    problems: list[Problem] = Field(description="empty while all is well")
    uptime: int = Field(description="seconds")
    version: str
    performance: Performance
    system: System
    dependencies: JsonObject


class Alive(Answer):
    """This process answers."""

    status: Annotated[str, OneOf(["alive"])]


class Readiness(Answer):
    """Whether requests should come here, and if not, why."""

    status: Annotated[str, OneOf(["ready", "not ready"])]
    reasons: list[str] | None = None


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
