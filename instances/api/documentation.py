"""What the OpenAPI document says of the operations on instances and of their timeline."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from instances.api import answers, examples
from instances.api.filters import InstanceFilter
from instances.api.messages import ACCEPTED_MESSAGE
from instances.api.parameters import ETAG, ID, IF_MATCH, IF_NONE_MATCH, UNLESS
from instances.api.parsers import MERGE_PATCH
from instances.api.serializers import CreateInstance, UpdateInstance
from instances.api.waiting_filters import TYPES_SCHEMA
from instances.lifecycle.representation import InstanceDetails

TAG = ["Instances"]
LIFECYCLE = ["Lifecycle"]
# The service's own form, which this package may not import.
ANY_ERROR = {"$ref": "#/components/schemas/ErrorResponse"}


def _answer(name: str, value: Any, status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=[str(status)])


CREATE: dict[str, Any] = {
    "operation_id": "createInstance",
    "summary": "Request an instance",
    "description": "Answers at once; workers then choose the cheapest offer, create the instance "
    "and watch it until it runs.",
    "tags": TAG,
    "parameters": [ETAG],
    "request": CreateInstance,
    "responses": {
        201: OpenApiResponse(answers.CreatedInstance, description="Accepted and written down."),
        400: OpenApiResponse(ANY_ERROR, description="Every bad field is named at once."),
        409: OpenApiResponse(
            description="The project has as many live instances as it may: INSTANCE_LIMIT_REACHED."
        ),
    },
    "examples": [
        OpenApiExample("A request", examples.REQUEST, request_only=True),
        _answer("Accepted", examples.CREATED, 201),
        OpenApiExample(
            "Seven mistakes",
            examples.INVALID,
            response_only=True,
            status_codes=["400"],
            description="One entry for each mistake; `value` is what the request said.",
        ),
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
    "parameters": [InstanceFilter],
    "responses": {200: OpenApiResponse(answers.InstanceList, description="A page.")},
    "examples": [
        _answer(
            "The first of several pages",
            {
                "instances": [examples.DETAILS],
                "total": 10_000,
                "totalIsCapped": True,
                "hasMore": True,
                "nextCursor": "WyI5YjE0ZTFkMDdjMjk1YTY4Il0.2f1c",
            },
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
    "parameters": [*ID, IF_MATCH, IF_NONE_MATCH, ETAG],
    "responses": {
        200: OpenApiResponse(InstanceDetails, description="As it is now."),
        304: OpenApiResponse(description="It is as If-None-Match says."),
        400: OpenApiResponse(description="If-Match or If-None-Match is no list of ETags."),
        412: OpenApiResponse(description="It is not what If-Match asks for."),
    },
    "examples": [_answer("Running", examples.DETAILS)],
}
UPDATE: dict[str, Any] = {
    "operation_id": "updateInstance",
    "summary": "Change name, tags, webhook URL or end",
    "description": "A merge patch (RFC 7396): what is not named stays, null removes a tag, all "
    "tags, the webhook URL or the limit of the runtime. Messages that still wait go to a new "
    "webhook URL, or end without one. Writes the event instance.updated, unless nothing changes. "
    "409 INVALID_STATE once it is terminated.",
    "tags": TAG,
    "parameters": [*ID, IF_MATCH, UNLESS, ETAG],
    "request": {"application/json": UpdateInstance, MERGE_PATCH: UpdateInstance},
    "responses": {
        200: InstanceDetails,
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
        _answer("As it is now", examples.DETAILS),
    ],
}


def _verb(name: str, summary: str, description: str, status: str) -> dict[str, Any]:
    answer = {
        "instanceId": examples.EXAMPLE_ID,
        "status": status,
        "message": ACCEPTED_MESSAGE,
    }
    return {
        "operation_id": f"{name}Instance",
        "summary": summary,
        "description": f"{description} Asking again for what is under way or has come true changes "
        "nothing; 409 INVALID_STATE where it makes no sense.",
        "tags": LIFECYCLE,
        "parameters": [*ID, IF_MATCH, UNLESS],
        "request": None,
        "responses": {
            202: OpenApiResponse(answers.AcceptedVerb, description="Under way."),
            409: OpenApiResponse(description="It makes no sense in the instance's status."),
            412: OpenApiResponse(description="It is not what If-Match or If-None-Match asks for."),
        },
        "examples": [_answer("Accepted", answer, 202)],
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
    "From any status. Goes on until two observations prove that nothing is left at Novita; only "
    "then is it terminated. Its disk is lost.",
    "terminating",
)
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
    ],
    "responses": {200: OpenApiResponse(answers.EventList, description="A page.")},
    "examples": [_answer("A page", examples.EVENTS)],
}
