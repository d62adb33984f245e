"""Tags in requests: a JSON object of short strings."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from core.request_fields import StrictField
from instances.domain.tags import (
    KEY,
    LONGEST_VALUE,
    MOST_TAGS,
    VALUE_PATTERN,
    key_fault,
    normalised,
    value_fault,
)

# A patch may take all away and put as many in their place.
_MOST_IN_PATCH = 2 * MOST_TAGS


def _schema(most: int, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "maxProperties": most,
        "propertyNames": {"pattern": f"^{KEY.pattern}$"},
        "additionalProperties": value,
        "examples": [{"team": "vision", "run": "2026-11-25/3"}],
    }


class TagsField(StrictField):
    """Labels by key. Every one that is wrong is named."""

    default_error_messages = {
        "type": "{label} must be an object of strings",
        "count": "{label} must be at most {most}",
    }
    most = MOST_TAGS
    may_remove = False

    def __init__(self, **kwargs: Any) -> None:
        value: dict[str, Any] = {
            "type": "string",
            "maxLength": LONGEST_VALUE,
            "pattern": f"^{VALUE_PATTERN}$",
        }
        if self.may_remove:
            value = {"oneOf": [value, {"type": "null"}]}
        kwargs.setdefault(
            "help_text",
            f"Labels of your own, at most {MOST_TAGS}; never sent to Novita. Lists find them: "
            "?tag=team:vision.",
        )
        super().__init__(schema=_schema(self.most, value), **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, str | None]:
        if not isinstance(data, Mapping):
            self.fail("type")
        if len(data) > self.most:
            self.fail("count", most=self.most)
        errors = {key: [fault] for key, value in data.items() if (fault := self._fault(key, value))}
        if errors:
            raise serializers.ValidationError(errors)
        return {key: value and normalised(value) for key, value in data.items()}

    def _fault(self, key: str, value: Any) -> str | None:
        if self.may_remove and value is None:
            return key_fault(key)
        return key_fault(key) or value_fault(value)


class MergedTagsField(TagsField):
    """The same to be merged into those there are: null removes one."""

    most = _MOST_IN_PATCH
    may_remove = True
