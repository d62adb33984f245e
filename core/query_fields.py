"""Fields of query parameters that say in plain words what they take."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

# Further than any row, and near enough to calculate with.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):(\d\d)((?:\.\d+)?(?:Z|[+-]\d\d:\d\d))", re.ASCII | re.IGNORECASE
)

_TEXT: dict[str, Any] = {
    "invalid": "must be text",
    "blank": "must not be empty",
    "max_length": "must be at most {max_length} characters",
}


class Text(serializers.CharField):
    """Some text."""

    default_error_messages = _TEXT


class OneOf(serializers.ChoiceField):
    """One of some words."""

    default_error_messages = {"invalid_choice": "must be one of: {known}"}

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        super().fail(key, known=", ".join(map(str, self.choices)), **kwargs)


class Several(serializers.ListField):
    """What may be given more than once."""

    default_error_messages = {"max_length": "may be given at most {max_length} times"}


class Number(serializers.IntegerField):
    """An integer between two bounds."""

    def __init__(self, *, min_value: int, max_value: int, **kwargs: Any) -> None:
        told: Any = dict.fromkeys(
            ("invalid", "max_string_length", "min_value", "max_value"),
            f"must be an integer between {min_value} and {max_value}",
        )
        super().__init__(min_value=min_value, max_value=max_value, error_messages=told, **kwargs)


class Words(Text):
    """One or several of the known words, separated by commas."""

    def known(self) -> Iterable[str]:
        raise NotImplementedError

    def to_internal_value(self, data: Any) -> Any:
        words = [word.strip() for word in super().to_internal_value(data).split(",")]
        known = sorted(self.known())
        if unknown := [word for word in words if word not in known]:
            raise serializers.ValidationError(f"{unknown[0][:60]!r} is none of: {', '.join(known)}")
        return words


class Moment(serializers.DateTimeField):
    """A point in time with its zone: a local time would mean another one to each reader."""

    default_error_messages = {
        "invalid": "must be an ISO 8601 time, e.g. 2026-01-31T12:00:00Z (write + as %2B)"
    }

    def to_internal_value(self, data: Any) -> Any:
        """All that RFC 3339 (section 5.6) allows: t and z in lower case, and second 60."""
        if isinstance(data, str) and (found := _RFC_3339.fullmatch(data)):
            day, time, second, rest = found.groups()
            is_leap = second == "60"
            text = f"{day}T{time}:{'59' if is_leap else second}{rest.upper()}"
            whole = super().to_internal_value(text)
            # A leap second is taken for the one after it, as Postgres does.
            return whole + timedelta(seconds=1) if is_leap else whole
        return super().to_internal_value(data)

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise serializers.ValidationError("must say its zone: end in Z or an offset")
        # Nothing is older or younger; far years overflow where they are calculated with.
        if not EARLIEST.year <= value.year < LATEST.year:
            return EARLIEST if value.year < EARLIEST.year else LATEST
        return super().enforce_timezone(value)


@extend_schema_field(
    {"type": "string", "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$", "maxLength": 100}
)
class SearchedText(Text):
    """Some text to look for."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=100, **kwargs)
