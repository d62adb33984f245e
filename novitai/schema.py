"""Adds to the generated OpenAPI document what every operation has in common: its errors."""

from typing import Any

_REF = {"$ref": "#/components/schemas/ErrorResponse"}
_CONTENT = {"application/json": {"schema": _REF}}
_ERRORS = {
    "400": "The request is not valid.",
    "401": "No API key, or not a valid one.",
    "403": "The API key's scopes do not cover this.",
    "404": "There is no such thing, or it belongs to another project.",
    "409": "A request with this Idempotency-Key is not finished yet; Retry-After says when to ask.",
    "422": "This Idempotency-Key was used for another request.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "429": "The key's rate is used up; Retry-After says when to come back.",
    "500": "Something went wrong on our side.",
    "503": "The database cannot be reached.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Any word of your own, at most 255 visible characters: the same request with the"
    " same key is answered again (Idempotent-Replayed: true) and done once, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_SCHEMA_NAME = "ErrorResponse"


def add_errors(result: dict[str, Any], generator: Any, **_: Any) -> dict[str, Any]:
    """drf-spectacular's post-processing hook."""
    for path, item in result["paths"].items():
        for method, operation in item.items():
            if method == "post" and path.startswith("/api/"):
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
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
    statuses = ["401", "403", "429", "500", "503"]
    if _IDEMPOTENCY_KEY in operation.get("parameters", ()):
        statuses += ["400", "409", "422"]
    if "{" in path:
        statuses.append("404")
    has_body = "requestBody" in operation
    if has_body:
        statuses += ["413", "415"]
    if has_body or any(p["in"] == "query" for p in operation.get("parameters", ())):
        statuses.append("400")
    return sorted(set(statuses))


def _error(status: str) -> dict[str, Any]:
    return {"description": _ERRORS[status], "content": _CONTENT}
