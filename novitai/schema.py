"""Adds to the generated OpenAPI document what every operation has in common: its errors."""

from typing import Any

_REF = {"$ref": "#/components/schemas/ErrorResponse"}
_CONTENT = {"application/json": {"schema": _REF}}
_ERRORS = {
    "400": "The request is not valid.",
    "401": "No API key, or not a valid one.",
    "404": "There is no such thing, or it belongs to another project.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "500": "Something went wrong on our side.",
    "503": "The database cannot be reached.",
}
_SCHEMA_NAME = "ErrorResponse"


def add_errors(result: dict[str, Any], generator: Any, **_: Any) -> dict[str, Any]:
    """drf-spectacular's post-processing hook."""
    for path, item in result["paths"].items():
        for operation in item.values():
            for status in _statuses(path, operation):
                operation["responses"].setdefault(status, _error(status))
            for status, response in operation["responses"].items():
                # An operation that says why it refuses leaves the form of its answer to us.
                if status >= "400":
                    response.setdefault("content", _CONTENT)
    return result


def _statuses(path: str, operation: dict[str, Any]) -> list[str]:
    """Which errors an operation can answer with."""
    if not path.startswith("/api/"):
        return []
    statuses = ["401", "500", "503"]
    if "{" in path:
        statuses.append("404")
    has_body = "requestBody" in operation
    if has_body:
        statuses += ["413", "415"]
    if has_body or any(p["in"] == "query" for p in operation.get("parameters", ())):
        statuses.append("400")
    return sorted(statuses)


def _error(status: str) -> dict[str, Any]:
    return {"description": _ERRORS[status], "content": _CONTENT}
