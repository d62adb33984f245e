"""What callers wait for: the query parameters of waits, streams and timelines, checked."""

import re
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from core.query_fields import Text
from core.query_parameters import misplaced
from instances.domain.enums import InstanceStatus

MOST_SECONDS = 60
# Where an instance stays until somebody acts.
DEFAULT_STATUSES = ("running", "stopped", "failed", "terminated")
_WHOLE = re.compile(r"[0-9]{1,9}")
_EVENT_ID = re.compile(r"start|evt_[A-Za-z0-9]{1,36}")
_MOST_TYPES = 20
_TYPE = r"[a-z_]{1,30}\.[a-z_]{1,30}"
_TYPES = re.compile(rf"{_TYPE}(,{_TYPE}){{0,{_MOST_TYPES - 1}}}")
_STATUS = f"({'|'.join(InstanceStatus.values)})"
# For the OpenAPI document: what the fields below take.
STATUSES_SCHEMA = {"type": "string", "pattern": f"^{_STATUS}(,{_STATUS})*$"}
TYPES_SCHEMA = {"type": "string", "pattern": f"^{_TYPES.pattern}$"}
EVENT_ID_SCHEMA = {"type": "string", "pattern": f"^({_EVENT_ID.pattern})$"}


class Whole(Text):
    """Digits, and few of them: int() takes more than anybody means, "1_0" and " 1" among it."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def to_internal_value(self, data: Any) -> Any:
        text = str(data)
        if not _WHOLE.fullmatch(text) or int(text) > self.most:
            raise serializers.ValidationError(f"must be an integer between 0 and {self.most}")
        return int(text)


class Statuses(Text):
    """One or several statuses, separated by commas."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        words = str(data).split(",")
        unknown = [word for word in words if word not in InstanceStatus.values]
        if unknown:
            known = ", ".join(InstanceStatus.values)
            raise serializers.ValidationError(f"{unknown[0][:60]!r} is none of: {known}")
        return frozenset(words)


class EventTypes(Text):
    """One or several types of events, separated by commas; one that never happens is no error."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if not _TYPES.fullmatch(str(data)):
            raise serializers.ValidationError(
                f"must be 1 to {_MOST_TYPES} types such as instance.running, separated by commas"
            )
        return frozenset(str(data).split(","))


class EventId(Text):
    """The id of an event, or start."""

    def to_internal_value(self, data: Any) -> Any:
        if not _EVENT_ID.fullmatch(str(data)):
            raise serializers.ValidationError(NO_SUCH_EVENT)
        return str(data)


NO_SUCH_EVENT = "must be the id of an event of this project, or start"
_LARGEST = 999_999_999


class WaitQuery(serializers.Serializer[Any]):
    """Until when, and for what."""

    status = Statuses(required=False)
    timeout = Whole(required=False, most=MOST_SECONDS)
    after_sequence = Whole(required=False, most=_LARGEST)


class StreamQuery(serializers.Serializer[Any]):
    """Which events, and from where on."""

    instance = Text(required=False, max_length=60)
    types = EventTypes(required=False)
    lastEventId = EventId(required=False)


class TimelineQuery(serializers.Serializer[Any]):
    """Which part of an instance's history; pages are the pagination's."""

    after_sequence = Whole(required=False, most=_LARGEST)
    type = EventTypes(required=False)


def read_query(
    kind: type[serializers.Serializer[Any]],
    request: Request,
    *,
    others: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """What was asked, checked; everything wrong is told at once. ``others`` are read elsewhere."""
    given = request.query_params
    query = kind(data=given.dict())
    errors = misplaced(given, set(query.fields) | others)
    if not query.is_valid():
        errors = {**query.errors, **errors}
    if errors:
        raise ValidationError(errors)
    return dict(query.validated_data)
