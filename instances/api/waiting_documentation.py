"""What the OpenAPI document says of waiting and of streams."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from instances.api import schemas
from instances.api.documentation import DETAILS, EVENT_TYPES, ID, TAG
from instances.api.waiting_filters import DEFAULT_STATUSES, MOST_SECONDS
from instances.choices import InstanceStatus
from instances.live.clients import WaitEnd

_TOO_MANY = (
    "The key's rate is used up, or the project has too many open waits and streams: "
    "TOO_MANY_WAITING."
)
_STATUS = f"({'|'.join(InstanceStatus.values)})"
_STATUSES = {"type": "string", "pattern": f"^{_STATUS}(,{_STATUS})*$"}
_EVENT_ID = {"type": "string", "pattern": "^(start|evt_[A-Za-z0-9]{1,36})$"}
_INSTANCE_ID = {"type": "string", "minLength": 1, "maxLength": 60}
AFTER_SEQUENCE = OpenApiParameter(
    "after_sequence",
    {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    description="only events numbered above this count",
)


class WaitedDetails(schemas.InstanceDetails):
    """The instance as it is now, and what the waiting came to."""

    reached = serializers.BooleanField(help_text="whether a status asked for was reached")
    waitResult = serializers.ChoiceField(
        [str(end) for end in WaitEnd],
        help_text="reached; timeout and shutdown: ask again; unreachable: it never will be",
    )
    sequence = serializers.IntegerField(
        help_text="of the event that reached it, else of the latest: the next after_sequence"
    )
    reachedStatus = serializers.CharField(required=False, help_text="it may have moved on since")


WAIT: dict[str, Any] = {
    "operation_id": "waitForInstance",
    "summary": "Wait until an instance gets somewhere",
    "description": "Answers 200 as soon as the status is one of those asked for, when none of "
    "them can be reached any more, or when the time is up; `reached` and `waitResult` say which. "
    "With after_sequence, what counts is not where it is but where any later event brought it: "
    "a status that lasts a moment is not missed.",
    "tags": TAG,
    "parameters": [
        *ID,
        OpenApiParameter(
            "status",
            _STATUSES,
            description="one or several statuses, separated by commas: "
            f"{', '.join(InstanceStatus.values)}; default {','.join(DEFAULT_STATUSES)}",
        ),
        OpenApiParameter(
            "timeout",
            {"type": "integer", "minimum": 0, "maximum": MOST_SECONDS, "default": MOST_SECONDS},
            description="seconds",
        ),
        AFTER_SEQUENCE,
    ],
    "responses": {
        200: OpenApiResponse(WaitedDetails, description="There, never there, or not yet."),
        429: OpenApiResponse(description=_TOO_MANY),
    },
    "examples": [
        OpenApiExample(
            "Reached",
            {**DETAILS, "reached": True, "waitResult": "reached", "sequence": 3}
            | {"reachedStatus": "running"},
            response_only=True,
            status_codes=["200"],
        )
    ],
}
_TYPES = "one or several such as instance.running, separated by commas"
_STREAM = """\
id: evt_3b0c44298fc1c149afbf4c89
event: instance.running
data: {"id": "evt_3b0c44298fc1c149afbf4c89", "sequence": 3, "type": "instance.running"}

: still here

"""
STREAM: dict[str, Any] = {
    "operation_id": "streamEvents",
    "summary": "Stream events as they happen",
    "description": "Server-Sent Events: every event of the project, each with its id, its type as "
    "`event` and the JSON of the timeline as `data`. Reconnect with the last id and nothing is "
    "missed; clients such as EventSource do so by themselves. A comment comes every 15 seconds.",
    "tags": ["Events"],
    "parameters": [
        OpenApiParameter("instance", _INSTANCE_ID, description="inst_…: only events of this one"),
        OpenApiParameter("types", EVENT_TYPES, description=_TYPES),
        OpenApiParameter(
            "lastEventId",
            _EVENT_ID,
            description="go on behind this event (evt_…), or from the start; default: from now",
        ),
        OpenApiParameter(
            "Last-Event-ID",
            _EVENT_ID,
            OpenApiParameter.HEADER,
            description="the same; it counts more than lastEventId",
        ),
    ],
    "responses": {
        (200, "text/event-stream"): OpenApiResponse(str, description="Events, without end."),
        400: OpenApiResponse(description="A parameter is wrong, or the event is not known."),
        404: OpenApiResponse(
            description="The instance is not of this project: INSTANCE_NOT_FOUND."
        ),
        429: OpenApiResponse(description=_TOO_MANY),
    },
    "examples": [
        OpenApiExample(
            "Two messages",
            _STREAM,
            response_only=True,
            status_codes=["200"],
            media_type="text/event-stream",
        )
    ],
}
