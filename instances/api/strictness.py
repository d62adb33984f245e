"""Tells the OpenAPI document what is refused: unknown fields, unknown regions."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)


class StrictObject(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Every serializer that refuses what it does not know."""

    target_class = "instances.api.serializers.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        return {**schema, "additionalProperties": False}


class ReadinessProbeObject(StrictObject):  # type: ignore[no-untyped-call]
    """A path and a status mean something over HTTP only."""

    target_class = "instances.api.serializers.ReadinessProbe"
    priority = 1

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {
            **super().map_serializer(auto_schema, direction),
            "if": {"properties": {"type": {"const": "tcp"}}, "required": ["type"]},
            "then": {"properties": {"path": False, "expectedStatus": False}},
        }


class KnownRegions(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Those that are configured."""

    target_class = "instances.api.filters.RegionWord"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "enum": list(settings.CONFIG.regions)}
