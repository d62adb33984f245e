"""What the OpenAPI document says of waiting and of streams."""

import json
from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema_field,
)
from rest_framework import serializers

from instances.api.documentation import TAG
from instances.api.examples import DETAILS, EVENTS
from instances.api.parameters import ID
from instances.api.waiting_filters import (
    DEFAULT_STATUSES,
    EVENT_ID_SCHEMA,
    MOST_SECONDS,
    STATUSES_SCHEMA,
    TYPES_SCHEMA,
)
from instances.domain.enums import InstanceStatus
from instances.streaming.subscribers import WaitedDetails

_TOO_MANY = (
    "RATE_LIMIT_EXCEEDED: the key's rate is used up. TOO_MANY_WAITING: the project has as many "
    "open waits and streams as it may."
)
AFTER_SEQUENCE = OpenApiParameter(
    "after_sequence",
    {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    description="only events numbered above this count",
)


WAIT: dict[str, Any] = {
    "operation_id": "waitForInstance",
    "summary": "Wait until an instance gets somewhere",
    "description": "Answers 200 as soon as the status is one of those asked for, when none of "
    "them can be reached any more, or when the time is up; `reached` and `waitResult` say which. "
    "With after_sequence, what counts is not where it is but where any later event brought it: "
    "a status that lasts a moment is not missed. Whoever closes their side of the connection, even "
    "halfway, is taken to be gone.",
    "tags": TAG,
    "parameters": [
        *ID,
        OpenApiParameter(
            "status",
            STATUSES_SCHEMA,
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
    "responses": {200: WaitedDetails, 429: OpenApiResponse(description=_TOO_MANY)},
    "examples": [
        OpenApiExample(
            "Reached",
            {
                **DETAILS,
                "reached": True,
                "waitResult": "reached",
                "sequence": 3,
                "reachedStatus": "running",
            },
            response_only=True,
            status_codes=["200"],
        )
    ],
}


@extend_schema_field(
    {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": "#/components/schemas/Event"},
    }
)
class EventTextField(serializers.CharField):
    """An event of the timeline as the text of a ``data`` line."""


class StreamedEvent(serializers.Serializer[Any]):
    """One message of the stream, by the fields of Server-Sent Events; the first one has an id and
    no data. Before OpenAPI 3.2 the schema of a text/event-stream describes each message.
    """

    id = serializers.CharField(required=False, help_text="evt_… or start: resume behind it")
    event = serializers.CharField(required=False, help_text="the type, such as instance.running")
    data = EventTextField(  # type: ignore[assignment]
        required=False, help_text="absent in the first message"
    )
    retry = serializers.IntegerField(
        required=False, help_text="milliseconds to wait before reconnecting; first message only"
    )


EVENT_TYPES = "one or several such as instance.running, separated by commas"
_FRAMES = """\
```
retry: 2000
id: evt_3b0c44298fc1c149afbf4c89

id: evt_7d865e959b2466918c9863af
event: instance.starting
data: {"id":"evt_7d865e959b2466918c9863af","sequence":2,"type":"instance.starting", …}

: still here
```"""
_EVENT: dict[str, Any] = EVENTS["events"][0]
_MESSAGE = {
    "id": _EVENT["id"],
    "event": _EVENT["type"],
    "data": json.dumps(_EVENT, separators=(",", ":")),
}
STREAM: dict[str, Any] = {
    "operation_id": "streamEvents",
    "summary": "Stream events as they happen",
    "description": "Server-Sent Events: every event of the project, each with its id, its type as "
    "`event` and the JSON of the timeline as `data`. Reconnect with the last id and nothing is "
    "missed; clients such as EventSource do so by themselves. A comment comes every 15 seconds. "
    "The stream ends when its API key is revoked or expires.\n\n" + _FRAMES,
    "tags": ["Events"],
    "parameters": [
        OpenApiParameter("instance", str, description="inst_…: only events of this one"),
        OpenApiParameter("types", TYPES_SCHEMA, description=EVENT_TYPES),
        OpenApiParameter(
            "lastEventId",
            EVENT_ID_SCHEMA,
            description="go on behind this event (evt_…), or from the start; default: from now",
        ),
        OpenApiParameter(
            "Last-Event-ID",
            str,
            OpenApiParameter.HEADER,
            description="the same; it counts more than lastEventId",
        ),
    ],
    "responses": {
        (200, "text/event-stream"): StreamedEvent,
        400: OpenApiResponse(description="A parameter is wrong, or the event is not known."),
        404: OpenApiResponse(description="INSTANCE_NOT_FOUND: there is none in this project."),
        429: OpenApiResponse(description=_TOO_MANY),
    },
    "examples": [
        OpenApiExample(
            "One message",
            _MESSAGE,
            response_only=True,
            status_codes=["200"],
            media_type="text/event-stream",
        )
    ],
}
