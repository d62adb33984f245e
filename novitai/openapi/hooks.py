"""Adds to the generated OpenAPI document what serializers and views cannot tell of themselves."""

import json
import re
from typing import Any

from novitai.openapi import errors, headers, introduction, links, nulls, webhooks
from novitai.rest import deprecations


def complete(result: dict[str, Any], generator: Any, **_: Any) -> dict[str, Any]:
    """drf-spectacular's post-processing hook."""
    used = {"Webhooks"}
    deprecations.mark(result)
    for path, item in result["paths"].items():
        for method, operation in item.items():
            headers.add_request_headers(path, method, operation)
            errors.add_errors(path, method, operation)
            headers.add_response_headers(path, operation)
            operation.setdefault("security", [])
            used.update(operation["tags"])
    result["components"] |= {"headers": headers.COMPONENTS, "examples": errors.examples()}
    _drop_titles(result)
    nulls.add_nulls(result)
    links.add_links(result)
    webhooks.add_webhooks(result, _details_example(result))
    introduction.keep_used_tags(result, used)
    _drop_unused(result)
    return result


def _drop_titles(document: dict[str, Any]) -> None:
    """They repeat the names of the fields, and pages show them instead of the type."""
    for schema in document["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            field.pop("title", None)


def _drop_unused(document: dict[str, Any]) -> None:
    """Headers and examples are declared for all operations that there may be."""
    used = set(re.findall(r'"#/components/(\w+)/([^"]+)"', json.dumps(document)))
    for kind, components in document["components"].items():
        if kind != "securitySchemes":
            kept = {name: each for name, each in components.items() if (kind, name) in used}
            document["components"][kind] = kept


def _details_example(document: dict[str, Any]) -> dict[str, Any] | None:
    """The one of GET /api/instances/{id}."""
    operation = document["paths"].get("/api/instances/{id}", {}).get("get", {})
    content = operation.get("responses", {}).get("200", {}).get("content", {})
    examples = content.get("application/json", {}).get("examples", {})
    return next((dict(example["value"]) for example in examples.values()), None)
