"""Tells the OpenAPI document which words the filters of the list know: those of every app."""

import re
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension


class KnownWords(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """One or several of the known words, separated by commas."""

    target_class = "core.query_fields.Words"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        word = "|".join(map(re.escape, sorted(self.target.known())))
        return {"type": "string", "pattern": f"^({word})(,({word}))*$"}
