"""Answers of the API: one class renders an answer and is its schema in the OpenAPI document.

drf-spectacular's own extension for pydantic reads the schema. Fields are spelled and ordered as in
the JSON.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self

from django.db.models.enums import ChoicesType
from pydantic import (
    BaseModel,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    create_model,
)
from pydantic_core import CoreSchema

from core.clock import iso

# ISO 8601 in UTC with milliseconds.
Moment = Annotated[
    datetime, PlainSerializer(iso), WithJsonSchema({"type": "string", "format": "date-time"})
]
Number = Annotated[float, WithJsonSchema({"type": "number", "format": "double"})]
# Any JSON object, shown as it is kept.
JsonObject = Annotated[Any, WithJsonSchema({"type": "object", "additionalProperties": {}})]
_NULL = {"type": "null"}


class Answer(BaseModel):
    """A body, or a part of one. Optional fields are absent rather than null: what is None, their
    default, is left out.
    """

    def as_json(self) -> dict[str, Any]:
        """The body, for a renderer of JSON."""
        return self.model_dump(exclude_none=True, warnings=False)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Without null, which no field ever is, and without titles, which repeat the names."""
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        schema.pop("title", None)
        properties = schema.get("properties", {})
        schema["properties"] = {name: _always_there(each) for name, each in properties.items()}
        if "required" in schema:
            schema["required"].sort()
        return reference


def _always_there(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field where it is present."""
    kept = {name: each for name, each in field.items() if name not in ("title", "default", "anyOf")}
    for alternative in field.get("anyOf", ()):
        if alternative != _NULL:
            kept = {**alternative, **kept}
    return kept


@dataclass(frozen=True, eq=False)
class OneOf:
    """The schema of a field that holds one of these words or numbers. An answer is not checked
    against it: what a newer release wrote into a row is shown, too.
    """

    words: ChoicesType | Iterable[str]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        # Not earlier: it needs Django's settings, and workers do not need it.
        from drf_spectacular.plumbing import list_hash

        words = self.words
        pairs = words.choices if isinstance(words, ChoicesType) else zip(words, words, strict=True)
        known = list(pairs)
        # By its id drf-spectacular knows the same words in several answers.
        values = {"enum": [value for value, _ in known], "x-spec-enum-id": list_hash(known)}
        return {**handler(core_schema), **values}


class Page(Answer):
    """A page of a list; ``page_of`` makes one for each kind of row."""

    @classmethod
    def of(
        cls, rows: Sequence[Answer], *, total: int, is_capped: bool, next_cursor: str | None
    ) -> Self:
        rows_name = next(iter(cls.model_fields))
        fields: dict[str, Any] = {
            rows_name: rows,
            "total": total,
            "totalIsCapped": is_capped or None,
            "hasMore": next_cursor is not None,
            "nextCursor": next_cursor,
        }
        return cls(**fields)


def page_of(name: str, about: str, **rows: type[Answer]) -> type[Page]:
    """``rows``: what the rows are called, and their class."""
    # Who describes pages has imported REST framework, and workers have not.
    from drf_spectacular.utils import extend_schema_serializer

    ((rows_name, row),) = rows.items()
    fields: dict[str, Any] = {
        rows_name: (list[row], ...),  # type: ignore[valid-type]
        "total": (int, Field(description="exact up to 10,000")),
        "totalIsCapped": (bool | None, None),
        "hasMore": (bool, ...),
        "nextCursor": (str | None, None),
    }
    made: type[Page] = create_model(name, __base__=Page, __doc__=about, **fields)
    # A page is one object, though its view lists.
    return extend_schema_serializer(many=False)(made)
