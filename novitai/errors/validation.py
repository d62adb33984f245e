"""REST framework's nested error detail as the flat ``validationErrors`` of the contract."""

import json
import re
from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import APIException, ErrorDetail
from rest_framework.request import Request

ECHO_LIMIT = 200
# A rule marks a value that may hold a secret with this code; it is then not echoed.
NOT_ECHOED = "not_echoed"
_SECRET_NAME = re.compile(r"secret|password|token|authorization|api_?key", re.IGNORECASE)
_MISSING = object()

Path = tuple[str | int, ...]


def validation_entries(detail: Any, request: Request) -> list[dict[str, Any]]:
    """One ``{"field", "message", "value"?}`` per error; the value as the client sent it."""
    sent = _sent(request)
    return [_entry(path, error, sent) for path, error in _flatten(detail, ())]


def _sent(request: Request) -> Any:
    """What the errors are about. A header may be refused before the body was looked at, which may
    then be unreadable as well: two errors must not make a 500.
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
    """``("ports", 0, "type")`` becomes ``ports[0].type``; an error of the whole is the body's."""
    if path == ("non_field_errors",):
        return "body"
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "body"


def _value_at(path: Path, sent: Any) -> Any:
    value = sent
    for step in path:
        if isinstance(value, str) and isinstance(step, int):
            # A parameter that may stand once or several times: the error is of the one there is.
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
    """The value itself while it is short; what is longer is cut, as text."""
    if isinstance(value, str):
        return _cut(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= ECHO_LIMIT else _cut(text)


def _cut(text: str) -> str:
    return _clean(text[:ECHO_LIMIT])


def _clean(text: str) -> str:
    """Lone surrogates cannot be written as UTF-8: an answer that echoed one would be a 500."""
    return text.encode("utf-8", "replace").decode("utf-8")
