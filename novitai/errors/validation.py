"""REST framework's nested error detail as the flat ``validationErrors`` of the contract."""

import json
import re
from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import APIException, ErrorDetail
from rest_framework.request import Request

ECHO_LIMIT = 200
# Code of a validation error whose value may hold a secret: the answer does not repeat the value.
NOT_ECHOED = "not_echoed"
_SECRET_NAME = re.compile(r"secret|password|token|authorization|api_?key", re.IGNORECASE)
_MISSING = object()

Path = tuple[str | int, ...]


def validation_entries(detail: Any, request: Request) -> list[dict[str, Any]]:
    """One ``{"field", "message", "value"?}`` per error; ``value`` is what the client sent."""
    sent = _sent(request)
    return [_entry(path, error, sent) for path, error in _flatten(detail, ())]


def _sent(request: Request) -> Any:
    """The parameters or the body that the errors are about. {} if the body cannot be read: when a
    header was refused, the body was not parsed before, and a second error must not become a 500.
    """
    if request.method in ("GET", "HEAD"):
        return request.query_params
    try:
        return request.data
    except APIException:
        return {}


def _flatten(detail: Any, path: Path) -> Iterator[tuple[Path, ErrorDetail]]:
    if isinstance(detail, dict):
        for key, inner in detail.items():
            yield from _flatten(inner, (*path, key))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            is_error = isinstance(inner, ErrorDetail)
            yield from _flatten(inner, path if is_error else (*path, index))
    else:
        yield path, detail


def _entry(path: Path, error: ErrorDetail, sent: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"field": _cut(_dotted(path)), "message": _clean(str(error))}
    value = _value_at(path, sent)
    if value is not _MISSING and not _is_secret(path, error):
        entry["value"] = _echo(value)
    return entry


def _dotted(path: Path) -> str:
    """``("ports", 0, "type")`` becomes ``ports[0].type``; an error of no field is ``body``."""
    if path == ("non_field_errors",):
        return "body"
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "body"


def _value_at(path: Path, sent: Any) -> Any:
    value = sent
    for step in path:
        if isinstance(value, str) and isinstance(step, int):
            # A parameter that may be repeated and was given once: the value is not a list.
            return value
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return value if path else _MISSING


def _is_secret(path: Path, error: ErrorDetail) -> bool:
    named = any(isinstance(step, str) and _SECRET_NAME.search(step) for step in path)
    return named or error.code == NOT_ECHOED


def _echo(value: Any) -> Any:
    """The value itself, or its JSON cut at ECHO_LIMIT characters if it is longer."""
    if isinstance(value, str):
        return _cut(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= ECHO_LIMIT else _cut(text)


def _cut(text: str) -> str:
    return _clean(text[:ECHO_LIMIT])


def _clean(text: str) -> str:
    """Replace lone surrogates: they cannot be written as UTF-8, so the answer would be a 500."""
    return text.encode("utf-8", "replace").decode("utf-8")
