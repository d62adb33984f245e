"""Headers of requests and answers, declared once and referred to."""

from typing import Any

from accounts.rest.idempotency_keys import PATTERN
from accounts.scopes import Scope
from novitai.openapi.errors import is_idempotent

_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 0}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Any word of your own, at most 255 visible characters: the same request with the"
    " same key is answered again (Idempotent-Replayed: true) and done once, for 24 hours. In quotes"
    " it is the same key; a comma is taken in quotes only, and the header is taken once.",
    "schema": {"type": "string", "pattern": PATTERN, "examples": ["order-42", '"order-42"']},
}
# What changes nothing is done as often as it is asked for.
IGNORED_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "deprecated": True,
    "description": "Taken and ignored: this changes nothing.",
    "schema": {"type": "string"},
}
# No pattern: what does not fit is replaced, not refused.
REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "A name of your own for this request: up to 80 letters, digits, dots, dashes and"
    " underscores. Anything else is replaced by a new one.",
    "schema": _TEXT,
}

COMPONENTS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "The name of this request, as logs and events know it.",
        "required": True,
        "schema": _TEXT,
    },
    "Retry-After": {"description": "Seconds to wait before asking again.", "schema": _SECONDS},
    "Accept-Encoding": {
        "description": "`identity`: the body was sent with a Content-Encoding, and none is taken.",
        "schema": _TEXT,
    },
    "Location": {"description": "Where the instance is found.", "schema": _TEXT},
    "Idempotent-Replayed": {
        "description": "`true`: the answer of an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {"description": "How to identify yourself.", "schema": _TEXT},
    "RateLimit": {
        "description": "What is left of the key's rate limit, and for how long.",
        "schema": _TEXT,
    },
    "RateLimit-Policy": {"description": "The key's rate limit.", "schema": _TEXT},
    "ETag": {"description": "Names this state; for If-Match and If-None-Match.", "schema": _TEXT},
    "Deprecation": {
        "description": "Since when this is deprecated (RFC 9745).",
        "schema": {"type": "string", "pattern": r"^@-?[0-9]+$"},
    },
    "Sunset": {"description": "When it will be gone (RFC 8594).", "schema": _TEXT},
    "Link": {"description": "Where to read about it: deprecation, sunset.", "schema": _TEXT},
}
_RETRIED = ("429", "503")
_CONDITIONS = ("If-Match", "If-None-Match")


def add_request_headers(path: str, method: str, operation: dict[str, Any]) -> None:
    """Before the errors: whether a key is taken decides on them."""
    parameters = operation.setdefault("parameters", [])
    if method == "post" and path.startswith("/api/"):
        changes_nothing = operation.get("x-scope") == Scope.READ
        parameters.append(IGNORED_KEY if changes_nothing else IDEMPOTENCY_KEY)
    parameters.append(REQUEST_ID)


def add_response_headers(path: str, operation: dict[str, Any]) -> None:
    """An operation's own words on a header are kept."""
    for status, response in operation["responses"].items():
        headers = response.setdefault("headers", {})
        for name in _names(path, status, operation):
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _names(path: str, status: str, operation: dict[str, Any]) -> list[str]:
    names = ["X-Request-Id"]
    is_success = status < "300"
    names += ["Retry-After"] if _may_retry(status, operation) else []
    names += ["WWW-Authenticate"] if status == "401" else []
    names += ["Accept-Encoding"] if status == "415" else []
    names += ["Location"] if status in ("201", "202") else []
    names += ["Idempotent-Replayed"] if is_success and is_idempotent(operation) else []
    names += ["RateLimit", "RateLimit-Policy"] if path.startswith("/api/") else []
    names += ["ETag"] if is_success and _is_conditional(operation) else []
    names += ["Deprecation", "Sunset", "Link"] if operation.get("deprecated") else []
    return names


def _may_retry(status: str, operation: dict[str, Any]) -> bool:
    return status in _RETRIED or (status == "409" and is_idempotent(operation))


def _is_conditional(operation: dict[str, Any]) -> bool:
    return any(p.get("name") in _CONDITIONS for p in operation.get("parameters", ()))
