"""Writes into request schemas that null is taken in optional fields, as if they were absent."""

from typing import Any

from instances.api.strictness import TAKES_NULLS

Schema = dict[str, Any]
_NULL = {"type": "null"}
# Of a property that is a reference: what stays beside the alternatives.
_BESIDE = ("description", "default", "examples", "deprecated")


def add_nulls(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        if schema.pop(TAKES_NULLS, False):
            _widen(schema)


def _widen(schema: Schema) -> None:
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        if name not in required:
            schema["properties"][name] = or_null(field)


def or_null(field: Schema) -> Schema:
    """The schema that takes null as well, in the words of OpenAPI 3.1: a list of types where there
    is one type, else one more alternative.
    """
    if isinstance(field.get("type"), str) and "enum" not in field:
        return {**field, "type": [field["type"], "null"]}
    if "oneOf" in field:
        return {**field, "oneOf": [*field["oneOf"], _NULL]}
    beside = {key: value for key, value in field.items() if key in _BESIDE}
    alone = {key: value for key, value in field.items() if key not in _BESIDE}
    references = alone.get("allOf", [])
    return {"oneOf": [references[0] if len(references) == 1 else alone, _NULL], **beside}
