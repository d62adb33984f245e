"""Request bodies: JSON objects of known fields only."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.request import Request


class StrictSerializer(serializers.Serializer[Any]):
    """A JSON object of known fields only; every error of every field at once.

    ``null_is_absent``: null in an optional field says no more than leaving it out. Typed clients
    send it for what is not set.
    """

    null_is_absent = True

    @classmethod
    def read(cls, data: Any) -> dict[str, Any]:
        """The validated values. Raises ValidationError.

        One serializer answers for all requests: it keeps nothing of them, and making its fields
        takes seven times as long as asking them.
        """
        values: dict[str, Any] = _shared(cls).run_validation(data)
        return values

    def run_validation(self, data: Any = empty) -> Any:
        """Before anything else: REST framework has its own words for a body of null."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"body": ["The body must be a JSON object"]})
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        # Not echoed: nobody knows what stands in a field that we do not know.
        errors: dict[Any, Any] = {
            name: [serializers.ErrorDetail("Unknown field", code="not_echoed")]
            for name in data
            if name not in self.fields
        }
        try:
            value = super().to_internal_value(self._said(data))
        except serializers.ValidationError as error:
            errors = {**error.detail, **errors}  # type: ignore[dict-item]
        if errors:
            raise serializers.ValidationError(errors)
        return value

    def _said(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Without the optional fields that are null."""
        if not self.null_is_absent or None not in data.values():
            return data
        required = {name for name, field in self.fields.items() if field.required}
        return {
            name: value for name, value in data.items() if value is not None or name in required
        }


@cache
def _shared(serializer: type[StrictSerializer]) -> StrictSerializer:
    return serializer()


def refuse_body(request: Request) -> None:
    """A verb takes no fields: what somebody sends in the belief that it counts is an error."""
    body = request.data
    if body is None or (isinstance(body, Mapping) and not body):
        return
    if not isinstance(body, Mapping):
        raise serializers.ValidationError({"body": ["This call takes no body"]})
    # Not echoed: nobody knows what stands in a field that we do not know.
    unknown = [serializers.ErrorDetail("Unknown field", code="not_echoed")]
    raise serializers.ValidationError(dict.fromkeys(body, unknown))
