"""What the OpenAPI document says of each operation, with the examples of the contract."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from instances.api import schemas
from instances.api.filters import SORTS, InstanceFilter
from instances.api.parsers import MERGE_PATCH
from instances.api.serializers import CreateInstance, UpdateInstance
from instances.api.waiting_filters import TYPES_SCHEMA

TAG = ["Instances"]
LIFECYCLE = ["Lifecycle"]
EXAMPLE_ID = "inst_12345_abcde"
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
_INVALID_REQUEST = {
    "name": "invalid name!",
    "productName": "",
    "templateId": "",
    "gpuNum": 10,
    "rootfsSize": 5,
    "region": "INVALID-REGION",
    "webhookUrl": "not-a-url",
}
_INVALID_FIELDS = {
    "name": "Name must contain only alphanumeric characters, hyphens, and underscores",
    "productName": "Product name is required",
    "templateId": "Template ID is required",
    "gpuNum": "GPU number must be at most 8",
    "rootfsSize": "Root filesystem size must be at least 20 GB",
    "region": "Region must be one of: CN-HK-01, US-WEST-01, EU-WEST-01",
    "webhookUrl": "Webhook URL must be a valid HTTP or HTTPS URL",
}
_INVALID = {
    "error": {
        "code": "VALIDATION_ERROR",
        "message": "The request is not valid; validationErrors says where.",
        "retryable": False,
        "suggestion": "Mend the fields that validationErrors names; the same request fails again.",
        "timestamp": "2023-12-01T10:00:00.000Z",
        "requestId": "req_5f2b8c0d9e1a4f6b7c3d2e10",
        "validationErrors": [
            {"field": name, "message": message, "value": _INVALID_REQUEST[name]}
            for name, message in _INVALID_FIELDS.items()
        ],
    }
}
_CREATED = {
    "instanceId": EXAMPLE_ID,
    "status": "creating",
    "message": CREATED_MESSAGE,
    "estimatedReadyTime": "2023-12-01T10:05:00.000Z",
}
DETAILS = {
    "id": EXAMPLE_ID,
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
    "events": "/api/instances/inst_12345_abcde/events",
    "jobs": "/api/jobs?instance=inst_12345_abcde",
}
# The service's own form, which this package may not import.
ANY_ERROR = {"$ref": "#/components/schemas/ErrorResponse"}
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
_ETAGS = {
    "type": "string",
    "pattern": '^([*]|"[!#-~]{1,40}"(, "[!#-~]{1,40}"){0,9})$',
    "examples": ['"3"'],
}
_IF_MATCH = OpenApiParameter(
    "If-Match",
    _ETAGS,
    OpenApiParameter.HEADER,
    description="ETags, or *: 412 PRECONDITION_FAILED if the instance is none of these any more",
)
_IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", _ETAGS, OpenApiParameter.HEADER, description="ETags of earlier answers"
)
_UNLESS = OpenApiParameter(
    "If-None-Match",
    _ETAGS,
    OpenApiParameter.HEADER,
    description="ETags, or *: 412 PRECONDITION_FAILED if the instance is one of these",
)
_ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200, 201],
    description='the instance\'s version, in quotes: "3"',
)
ID = [OpenApiParameter("id", str, OpenApiParameter.PATH, description="inst_…")]

CREATE: dict[str, Any] = {
    "operation_id": "createInstance",
    "summary": "Request an instance",
    "description": "Answers at once; workers then choose the cheapest offer, create the instance "
    "and watch it until it runs.",
    "tags": TAG,
    "parameters": [_ETAG],
    "request": CreateInstance,
    "responses": {
        201: OpenApiResponse(schemas.CreatedInstance, description="Accepted and written down."),
        400: OpenApiResponse(ANY_ERROR, description="Every bad field is named at once."),
        409: OpenApiResponse(
            description="The project has as many live instances as it may: INSTANCE_LIMIT_REACHED."
        ),
    },
    "examples": [
        OpenApiExample("A request", _REQUEST, request_only=True),
        OpenApiExample(
            "A request with seven mistakes",
            _INVALID_REQUEST,
            request_only=True,
            description="Answered with 400 and one entry for each of them.",
        ),
        OpenApiExample("Accepted", _CREATED, response_only=True, status_codes=["201"]),
        OpenApiExample("Seven mistakes", _INVALID, response_only=True, status_codes=["400"]),
    ],
}
LIST: dict[str, Any] = {
    "operation_id": "listInstances",
    "summary": "List instances, newest first",
    "description": "Ended ones included, for as long as their rows are kept. Filters narrow each "
    "other. A cursor belongs to its sort and filters: repeat "
    "them with it, or follow the Link header, which does. An instance without a price counts as "
    "cheaper than any.",
    "tags": TAG,
    "parameters": [InstanceFilter, _SORT, *_PAGE],
    "responses": {200: OpenApiResponse(schemas.InstanceList, description="A page.")},
    "examples": [
        OpenApiExample(
            "The first of several pages",
            {
                "instances": [DETAILS],
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
    "description": "As this service knows it: nothing is asked of Novita, whose own word is "
    "novitaStatus. Fields are absent until they are known. The ETag stands for all of it but "
    "costUsd, which grows by itself.",
    "parameters": [*ID, _IF_NONE_MATCH, _ETAG],
    "responses": {
        200: OpenApiResponse(schemas.InstanceDetails, description="As it is now."),
        304: OpenApiResponse(description="It is as If-None-Match says."),
        400: OpenApiResponse(description="If-None-Match is no list of ETags."),
    },
    "examples": [OpenApiExample("Running", DETAILS, response_only=True, status_codes=["200"])],
}
UPDATE: dict[str, Any] = {
    "operation_id": "updateInstance",
    "summary": "Change name, tags, webhook URL or end",
    "description": "A merge patch (RFC 7396): what is not named stays, null removes a tag, all "
    "tags, the webhook URL or the limit of the runtime. Messages that still wait go to a new "
    "webhook URL, or end without one. Writes the event instance.updated, unless nothing changes. "
    "409 INVALID_STATE once it is terminated.",
    "tags": TAG,
    "parameters": [*ID, _IF_MATCH, _UNLESS, _ETAG],
    "request": {"application/json": UpdateInstance, MERGE_PATCH: UpdateInstance},
    "responses": {
        200: schemas.InstanceDetails,
        409: OpenApiResponse(description="It is terminated."),
        412: OpenApiResponse(description="It is not what If-Match or If-None-Match asks for."),
    },
    "examples": [
        OpenApiExample(
            "Set one tag, remove another, live longer",
            {"tags": {"team": "vision", "run": None}, "maxRuntimeMinutes": 240},
            request_only=True,
        ),
        OpenApiExample(
            "Set one tag, remove another",
            {"tags": {"team": "vision", "run": None}},
            request_only=True,
            media_type=MERGE_PATCH,
        ),
        OpenApiExample("As it is now", DETAILS, response_only=True, status_codes=["200"]),
    ],
}
ACCEPTED_MESSAGE = "Accepted; its webhook or its details tell when it has come true."


def _verb(name: str, summary: str, description: str, status: str) -> dict[str, Any]:
    answer = {
        "instanceId": EXAMPLE_ID,
        "status": status,
        "message": ACCEPTED_MESSAGE,
    }
    return {
        "operation_id": f"{name}Instance",
        "summary": summary,
        "description": f"{description} Asking again for what is under way or has come true changes "
        "nothing; 409 INVALID_STATE where it makes no sense.",
        "tags": LIFECYCLE,
        "parameters": [*ID, _IF_MATCH, _UNLESS],
        "request": None,
        "responses": {
            202: OpenApiResponse(schemas.AcceptedVerb, description="Under way."),
            409: OpenApiResponse(description="It makes no sense in the instance's status."),
            412: OpenApiResponse(description="It is not what If-Match or If-None-Match asks for."),
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
_EVENTS = {
    "events": [
        {
            "id": "evt_3b0c44298fc1c149afbf4c89",
            "instanceId": EXAMPLE_ID,
            "sequence": 1,
            "type": "instance.creating",
            "toStatus": "creating",
            "occurredAt": "2023-12-01T10:00:00.000Z",
            "actor": "key:key_2cf24dba5fb0a30e26e83b2a",
            "cause": "requested over the API",
            "requestId": "req_5f2b8c0d9e1a4f6b7c3d2e10",
        },
        {
            "id": "evt_7d865e959b2466918c9863af",
            "instanceId": EXAMPLE_ID,
            "sequence": 2,
            "type": "instance.starting",
            "fromStatus": "creating",
            "toStatus": "starting",
            "occurredAt": "2023-12-01T10:00:01.250Z",
            "actor": "worker",
            "cause": "created at Novita",
            "requestId": "req_5f2b8c0d9e1a4f6b7c3d2e10",
            "jobId": "job_486ea46224d1bb4fb680f34f",
        },
    ],
    "total": 2,
    "hasMore": False,
}
EVENTS: dict[str, Any] = {
    "operation_id": "listInstanceEvents",
    "summary": "List what happened to an instance, oldest first",
    "description": "Numbered without gaps, never changed: what happened, who caused it, and the "
    "request and the job behind it.",
    "tags": ["Events"],
    "parameters": [
        *ID,
        OpenApiParameter(
            "after_sequence",
            {"type": "integer", "minimum": 0, "maximum": 999_999_999},
            description="only events numbered above this",
        ),
        OpenApiParameter(
            "type",
            TYPES_SCHEMA,
            description="only these, such as instance.running; several separated by commas",
        ),
        *_PAGE,
    ],
    "responses": {200: OpenApiResponse(schemas.EventList, description="A page.")},
    "examples": [OpenApiExample("A page", _EVENTS, response_only=True, status_codes=["200"])],
}
