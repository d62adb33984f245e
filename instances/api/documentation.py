"""What the OpenAPI document says of each operation, with the examples of the contract."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from instances.api import schemas
from instances.api.filters import SORTS, InstanceFilter
from instances.api.parsers import MERGE_PATCH
from instances.api.serializers import CreateInstance, UpdateInstance

TAG = ["Instances"]
CREATED_MESSAGE = "The instance is being created; its webhook or its details tell when it runs."

_REQUEST = {
    "name": "my-gpu-instance",
    "productName": "A100-SXM4-40GB",
    "templateId": "tf-training-template-1",
    "gpuNum": 2,
    "rootfsSize": 100,
    "region": "US-WEST-01",
    "webhookUrl": "https://myapp.com/webhook",
}
_CREATED = {
    "instanceId": "inst_9f86d081884c7d659a2feaa0",
    "status": "creating",
    "message": CREATED_MESSAGE,
    "estimatedReadyTime": "2023-12-01T10:05:00.000Z",
}
_DETAILS = {
    "id": "inst_9f86d081884c7d659a2feaa0",
    "name": "my-gpu-instance",
    "status": "running",
    "gpuNum": 2,
    "region": "US-WEST-01",
    "product": {"name": "A100-SXM4-40GB", "id": "prod-a100-usca6"},
    "templateId": "tf-training-template-1",
    "rootfsSize": 100,
    "billingMode": "spot",
    "tags": {"team": "vision", "run": "2026-11-25/3"},
    "portMappings": [
        {"port": 22, "endpoint": "ssh://gpu-instance-123.novitai.com:22", "type": "tcp"},
        {
            "port": 8888,
            "endpoint": "https://jupyter.gpu-instance-123.novitai.com",
            "type": "https",
        },
    ],
    "connectionDetails": {
        "ssh": "ssh://gpu-instance-123.novitai.com:22",
        "jupyter": "https://jupyter.gpu-instance-123.novitai.com",
    },
    "createdAt": "2023-12-01T10:00:00.000Z",
    "readyAt": "2023-12-01T10:04:30.000Z",
    "pricePerHourUsd": "0.70",
    "costUsd": "0.0525",
    "events": "/api/instances/inst_9f86d081884c7d659a2feaa0/events",
    "jobs": "/api/jobs?instance=inst_9f86d081884c7d659a2feaa0",
}
_PAGE = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
        description="rows per page",
    ),
    OpenApiParameter("cursor", str, description="nextCursor of the page before"),
]
_SORT = OpenApiParameter(
    "sort", {"type": "string", "enum": list(SORTS)}, description="- for descending; ties by age"
)
_IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="ETags, or *: 412 PRECONDITION_FAILED if the instance is none of these any more",
)
_IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="ETags of earlier answers"
)
_ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200],
    description='the instance\'s version, in quotes: "3"',
)
ID = [OpenApiParameter("id", str, OpenApiParameter.PATH, description="inst_…")]

CREATE: dict[str, Any] = {
    "operation_id": "createInstance",
    "summary": "Request an instance",
    "description": "Answers at once; workers then choose the cheapest offer, create the instance "
    "and watch it until it runs.",
    "tags": TAG,
    "request": CreateInstance,
    "responses": {
        201: schemas.CreatedInstance,
        409: OpenApiResponse(description="The project has as many live instances as it may."),
    },
    "examples": [
        OpenApiExample("A request", _REQUEST, request_only=True),
        OpenApiExample("Accepted", _CREATED, response_only=True, status_codes=["201"]),
    ],
}
LIST: dict[str, Any] = {
    "operation_id": "listInstances",
    "summary": "List instances, newest first",
    "description": "Filters narrow each other. A cursor belongs to its sort and filters: repeat "
    "them with it, or follow the Link header, which does. An instance without a price counts as "
    "cheaper than any.",
    "tags": TAG,
    "parameters": [InstanceFilter, _SORT, *_PAGE],
    "responses": {200: schemas.InstanceList},
    "examples": [
        OpenApiExample(
            "The first of several pages",
            {
                "instances": [_DETAILS],
                "total": 10_000,
                "totalIsCapped": True,
                "hasMore": True,
                "nextCursor": "WyI5YjE0ZTFkMDdjMjk1YTY4Il0.2f1c",
            },
            response_only=True,
            status_codes=["200"],
        )
    ],
}
RETRIEVE: dict[str, Any] = {
    "operation_id": "getInstance",
    "summary": "Get an instance",
    "tags": TAG,
    "description": "The ETag stands for all of it but costUsd, which grows by itself.",
    "parameters": [*ID, _IF_NONE_MATCH, _ETAG],
    "responses": {
        200: schemas.InstanceDetails,
        304: OpenApiResponse(description="It is as If-None-Match says."),
    },
    "examples": [OpenApiExample("Running", _DETAILS, response_only=True, status_codes=["200"])],
}
UPDATE: dict[str, Any] = {
    "operation_id": "updateInstance",
    "summary": "Change name, tags, webhook URL or end",
    "description": "A merge patch (RFC 7396): what is not named stays, null removes a tag, all "
    "tags, the webhook URL or the limit of the runtime. Messages that still wait go to a new "
    "webhook URL, or end without one. Writes the event instance.updated, unless nothing changes. "
    "409 INVALID_STATE once it is terminated.",
    "tags": TAG,
    "parameters": [*ID, _IF_MATCH, _ETAG],
    "request": {"application/json": UpdateInstance, MERGE_PATCH: UpdateInstance},
    "responses": {
        200: schemas.InstanceDetails,
        409: OpenApiResponse(description="It is terminated."),
        412: OpenApiResponse(description="It is none of the versions that If-Match names."),
    },
    "examples": [
        OpenApiExample(
            "Set one tag, remove another, live longer",
            {"tags": {"team": "vision", "run": None}, "maxRuntimeMinutes": 240},
            request_only=True,
        ),
        OpenApiExample("As it is now", _DETAILS, response_only=True, status_codes=["200"]),
    ],
}
ACCEPTED_MESSAGE = "Accepted; its webhook or its details tell when it has come true."


def _verb(name: str, summary: str, description: str, status: str) -> dict[str, Any]:
    answer = {
        "instanceId": "inst_9f86d081884c7d659a2feaa0",
        "status": status,
        "message": ACCEPTED_MESSAGE,
    }
    return {
        "operation_id": f"{name}Instance",
        "summary": summary,
        "description": f"{description} Asking again for what is under way or has come true changes "
        "nothing; 409 INVALID_STATE where it makes no sense.",
        "tags": TAG,
        "parameters": [*ID, _IF_MATCH],
        "request": None,
        "responses": {
            202: schemas.AcceptedVerb,
            409: OpenApiResponse(description="It makes no sense in the instance's status."),
            412: OpenApiResponse(description="It is none of the versions that If-Match names."),
        },
        "examples": [OpenApiExample("Accepted", answer, response_only=True, status_codes=["202"])],
    }


START = _verb(
    "start",
    "Start a stopped instance",
    "A stop gives the GPUs back, so there may be none: the instance then is stopped again, with "
    "statusReason INSUFFICIENT_RESOURCE, and keeps its disk.",
    "starting",
)
STOP = _verb(
    "stop",
    "Stop a running instance",
    "The GPUs go back to Novita and cost nothing more; the disk stays, for some days, and costs a "
    "little.",
    "stopping",
)
RESTART = _verb(
    "restart", "Restart a running instance", "It keeps its GPUs and its disk.", "starting"
)
TERMINATE = _verb(
    "terminate",
    "Terminate an instance",
    "From any status. Goes on until two looks prove that nothing is left at Novita; only then is "
    "it terminated. Its disk is lost.",
    "terminating",
)
EVENTS: dict[str, Any] = {
    "operation_id": "listInstanceEvents",
    "summary": "List what happened to an instance, oldest first",
    "tags": TAG,
    "parameters": [
        *ID,
        OpenApiParameter(
            "after_sequence",
            {"type": "integer", "minimum": 0, "maximum": 999_999_999},
            description="only events numbered above this",
        ),
        OpenApiParameter(
            "type",
            str,
            description="only these, such as instance.running; several separated by commas",
        ),
        *_PAGE,
    ],
    "responses": {200: schemas.EventList},
}
