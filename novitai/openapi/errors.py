"""The error answers of each operation, with an example for each code that may come."""

import re
from typing import Any

from novitai.errors.codes import CODES

SCHEMA = {"$ref": "#/components/schemas/ErrorResponse"}
_EXAMPLES = "#/components/examples/"
_DESCRIPTIONS = {
    "400": "The request is not valid.",
    "401": "No API key, or not a valid one.",
    "403": "The key's scopes do not cover this.",
    "404": "There is no such thing, or it belongs to another project.",
    "406": "The caller takes nothing of what is answered here.",
    "409": "The state of things does not allow it.",
    "412": "It is not what If-Match or If-None-Match asks for.",
    "413": "The body is too large.",
    "415": "The body is not JSON in UTF-8, or compressed.",
    "422": "This Idempotency-Key was used for another request.",
    "429": "The key's rate is used up.",
    "500": "Something went wrong on our side.",
    "503": "The database cannot be reached.",
}
_USUAL_CODES = {
    "400": "VALIDATION_ERROR",
    "401": "UNAUTHORIZED",
    "403": "FORBIDDEN",
    "406": "NOT_ACCEPTABLE",
    "412": "PRECONDITION_FAILED",
    "413": "PAYLOAD_TOO_LARGE",
    "415": "UNSUPPORTED_MEDIA_TYPE",
    "422": "IDEMPOTENCY_KEY_REUSED",
    "429": "RATE_LIMIT_EXCEEDED",
    "500": "INTERNAL_SERVER_ERROR",
    "503": "SERVICE_UNAVAILABLE",
}
_CODE = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b")


def add_errors(path: str, method: str, operation: dict[str, Any]) -> None:
    """What an operation says itself is kept: only what it leaves out is filled in."""
    if path.startswith("/api/"):
        for status in _statuses(path, method, operation):
            operation["responses"].setdefault(status, {"description": _DESCRIPTIONS[status]})
    for status, response in operation["responses"].items():
        if status < "400":
            response["description"] = response["description"] or "Success."
            continue
        media = response.setdefault("content", {}).setdefault("application/json", {})
        if media.setdefault("schema", SCHEMA) != SCHEMA:
            continue
        codes = _codes(path, status, operation, response["description"])
        media.setdefault("examples", {code: {"$ref": _EXAMPLES + code} for code in codes})
        response["description"] = _with_codes(response["description"], codes)


def examples() -> dict[str, Any]:
    """One of each code, for all operations to refer to."""
    return {code: _example(code) for code in CODES}


def is_idempotent(operation: dict[str, Any]) -> bool:
    """Whether an Idempotency-Key counts there."""
    return any(
        p.get("name") == "Idempotency-Key" and not p.get("deprecated")
        for p in operation.get("parameters", ())
    )


def _statuses(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    """Which errors an operation can answer with."""
    statuses = {"401", "403", "406", "429", "500", "503"}
    if is_idempotent(operation):
        statuses |= {"400", "409", "422"}
    if "{" in path:
        statuses.add("404")
    # A body is read wherever one may be sent, if only to refuse it.
    if method in ("post", "put", "patch", "delete"):
        statuses |= {"400", "413", "415"}
    if any(p["in"] == "query" for p in operation.get("parameters", ())):
        statuses.add("400")
    return sorted(statuses)


def _codes(path: str, status: str, operation: dict[str, Any], description: str) -> list[str]:
    """The usual ones of the status, and those that the operation's own words name."""
    texts = f"{description} {operation.get('description', '')}"
    named = [code for code in _CODE.findall(texts) if code in CODES]
    found = dict.fromkeys(code for code in named if str(CODES[code].status) == status)
    if status == "404" and not found:
        found[_not_found_code(path)] = None
    elif status in _USUAL_CODES and path.startswith("/api/"):
        found[_USUAL_CODES[status]] = None
    if status == "409" and is_idempotent(operation):
        found["IDEMPOTENCY_KEY_IN_USE"] = None
    return list(found)


def _not_found_code(path: str) -> str:
    kinds = {
        "/api/instances/": "INSTANCE_NOT_FOUND",
        "/api/jobs/": "JOB_NOT_FOUND",
        "/api/keys/": "API_KEY_NOT_FOUND",
    }
    return next((code for start, code in kinds.items() if path.startswith(start)), "NOT_FOUND")


def _with_codes(description: str, codes: list[str]) -> str:
    told = [code for code in codes if code not in description]
    return f"{description} {', '.join(f'`{code}`' for code in told)}" if told else description


def _example(code: str) -> dict[str, Any]:
    row = CODES[code]
    error: dict[str, Any] = {
        "code": code,
        "message": row.message,
        "retryable": row.retryable,
        "timestamp": "2023-12-01T10:00:00.000Z",
        "requestId": "req_5f2b8c0d9e1a4f6b7c3d2e10",
    }
    if row.suggestion:
        error["suggestion"] = row.suggestion
    if code == "VALIDATION_ERROR":
        error["validationErrors"] = [{"field": "…", "message": "…"}]
    return {"summary": code, "value": {"error": error}}
