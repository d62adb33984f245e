"""Request bodies: JSON as RFC 8259 defines it, in UTF-8, bounded, and storable in Postgres."""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from django.http import UnreadablePostError
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

IDENTITY = "identity"
UNREADABLE = "The request body could not be read to its end."
MAX_DEPTH = 32
MAX_NUMBER_LENGTH = 100
# A whole string, closed or not (possessive, so that a body of quotes takes linear time), or a
# bracket outside of strings.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
# NUL, which Postgres cannot store, and halves of surrogate pairs, which UTF-8 cannot write.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Path = tuple[str | int, ...]


class _Unusable(ValueError):
    """The body is valid JSON syntax that is not accepted; the text says why."""


class StrictJSONParser(BaseParser):
    """Refuses JSON that two parsers could read differently; the message says where.

    Refused: compressed bodies, NaN and infinities, duplicate keys, other encodings and byte order
    marks, nesting below 32 levels, numbers of over 100 characters or beyond a double, NUL, lone
    surrogates.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        request = (parser_context or {}).get("request")
        _refuse_other_coding(request)
        _refuse_other_charset(media_type or "")
        try:
            value = _loads(_read(stream, request))
        except _Unusable as error:
            raise _body_error(str(error)) from None
        _refuse_unstorable(value, ())
        return value


def _read(stream: IO[Any], request: Request | None) -> bytes:
    """All that was announced: half a request asks for nothing (RFC 9112, section 8)."""
    try:
        body: bytes = stream.read()
    except UnreadablePostError:
        raise _body_error(UNREADABLE) from None
    announced = "" if request is None else str(request.META.get("CONTENT_LENGTH") or "")
    if announced.isdecimal() and len(body) < int(announced):
        raise _body_error(UNREADABLE)
    return body


class CodedBody(UnsupportedMediaType):
    """415: the body is compressed. Accept-Encoding says what is accepted (RFC 9110, 12.5.3)."""

    headers = {"Accept-Encoding": IDENTITY}

    def __init__(self, media_type: str, coding: str) -> None:
        text = f"The body must not be compressed; it has Content-Encoding: {coding[:40]}."
        super().__init__(media_type, text)


def _refuse_other_coding(request: Request | None) -> None:
    given = request.headers.get("Content-Encoding", "") if request is not None else ""
    codings = [coding.strip().lower() for coding in given.split(",")]
    if request is not None and any(coding not in ("", IDENTITY) for coding in codings):
        raise CodedBody(request.content_type, given)


def _refuse_other_charset(media_type: str) -> None:
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", media_type, re.IGNORECASE)
    if charset and charset.group(1).lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(media_type, "The body must be application/json in UTF-8.")


def _loads(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Unusable(
            f"The body is not valid UTF-8: the error is at byte {error.start}."
        ) from None
    if text.startswith("\ufeff"):
        raise _Unusable("The body starts with a byte order mark.")
    _refuse_depth(text)
    try:
        return json.loads(
            text,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _Unusable(f"The body is not JSON: {error.msg} at {where}.") from None


def _refuse_depth(text: str) -> None:
    """Checked before parsing: the parser is recursive and would raise a RecursionError."""
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match.group() in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise _Unusable(
                    f"The body is nested deeper than {MAX_DEPTH} levels at character"
                    f" {match.start() + 1}."
                )
        elif match.group() in ("]", "}"):
            depth -= 1


def _integer(digits: str) -> int:
    return int(_bounded(digits))


def _float(digits: str) -> float:
    value = float(_bounded(digits))
    if not math.isfinite(value):
        raise _Unusable(f"The number {digits} is too large.")
    return value


def _bounded(digits: str) -> str:
    if len(digits) > MAX_NUMBER_LENGTH:
        raise _Unusable(f"The number {digits[:20]}… is longer than {MAX_NUMBER_LENGTH} characters.")
    return digits


def _no_constant(name: str) -> float:
    raise _Unusable(f"{name} is not a JSON value.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _Unusable(f'The key "{key[:50]}" occurs twice in one object.')
        result[key] = value
    return result


def _refuse_unstorable(value: Any, path: Path) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_text(key, path)
            _refuse_unstorable(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_unstorable(inner, (*path, index))
    elif isinstance(value, str):
        _refuse_text(value, path)


def _refuse_text(text: str, path: Path) -> None:
    if found := _UNSTORABLE.search(text):
        name = f"U+{ord(found.group()):04X}"
        raise _error_at(path, f"Text must not contain the character {name}.")


def _error_at(path: Path, message: str) -> ValidationError:
    """A validation error of a field of the first level; deeper ones get only the message."""
    if path and isinstance(path[0], str):
        return ValidationError({path[0]: [message]})
    return _body_error(message)


def _body_error(message: str) -> ValidationError:
    return ValidationError({"body": [message]})
