"""The OpenAPI document as tests use it: what is served, its operations, its examples."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]


@cache
def _text() -> str:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return json.dumps(schema)


def document() -> dict[str, Any]:
    """A copy each: tests may change theirs."""
    parsed: dict[str, Any] = json.loads(_text())
    return parsed


class Operation(NamedTuple):
    method: str
    path: str
    body: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.body["operationId"])

    def example_path(self, value: str = "none") -> str:
        return self.path.replace("{id}", value)


def operations() -> list[Operation]:
    return [
        Operation(method.upper(), path, body)
        for path, item in document()["paths"].items()
        for method, body in item.items()
    ]


def media_of(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where (request or status) and what, of everything that has a schema."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        yield "request", media
    for status, response in operation["responses"].items():
        for media in response.get("content", {}).values():
            yield status, media


def faults_of(value: Any, schema: dict[str, Any]) -> list[str]:
    """What is wrong with a value by a schema of the document, at whatever depth."""
    whole = {**schema, "components": document()["components"]}
    return [f"{e.json_path}: {e.message}" for e in Draft202012Validator(whole).iter_errors(value)]
