"""What the answers in the OpenAPI document are made of."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

Object = serializers.Serializer[Any]

_MOMENT = {"type": "string", "format": "date-time", "examples": ["2023-12-01T10:00:00.000Z"]}
_USD = {"type": "string", "pattern": r"^\d+\.\d{2,5}$", "examples": ["0.35"]}


@extend_schema_field(_MOMENT)
class MomentField(serializers.CharField):
    """ISO 8601 in UTC with milliseconds."""


@extend_schema_field(_USD)
class UsdField(serializers.CharField):
    """US dollars as a decimal string: money is no float."""
