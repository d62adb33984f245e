"""Tells the OpenAPI document what is refused (unknown fields, unknown regions), and where null is
taken for an absent field.
"""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)

# Left for ``novitai.openapi.nulls``, which runs when the schemas of enums have their final places.
TAKES_NULLS = "x-takes-nulls"


class StrictObject(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Every serializer that refuses what it does not know."""

    target_class = "core.request_bodies.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        marks = {TAKES_NULLS: True} if self.target.null_is_absent else {}
        return {**schema, "additionalProperties": False, **marks}


class ReadinessProbeObject(StrictObject):  # type: ignore[no-untyped-call]
    """A path and a status mean something over HTTP only."""

    target_class = "instances.api.serializers.ReadinessProbe"
    priority = 1

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {
            **super().map_serializer(auto_schema, direction),
            "if": {"properties": {"type": {"const": "tcp"}}, "required": ["type"]},
            "then": {"properties": {key: {"type": "null"} for key in ("path", "expectedStatus")}},
        }


class KnownRegions(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Those that are configured."""

    target_class = "instances.api.filters.RegionWord"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "enum": list(settings.CONFIG.regions)}
