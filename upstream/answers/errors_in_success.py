"""Finds errors in the body of a 2xx answer, with or without a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upstream.answers.phrases import meaning_of
from upstream.answers.reasons import STATE
from upstream.answers.speaker import Spoken, is_of_the_way, listen_to
from upstream.errors import Source
from upstream.values import flag, identifier, integer, mapping, word_set

# Keys under which a successful answer has its contents.
_CONTENTS = (
    *("id", "Id", "instanceId", "data", "instance", "instances", "template", "templates", "list"),
    *("items", "jobs", "result", "availableBalance"),
)
_FAILURES = ("error", "errors", "fault")
_GOOD_WORDS = word_set(
    "ok okay success successful succeeded succeed done accepted true 成功 操作成功"
)
_BAD_WORDS = word_set("error fail failed failure")


def hidden_error(value: Any) -> tuple[int, Spoken] | None:
    """Equivalent error status and words; None for a success.

    Without a code, it is a 500: for a write, only a reason or words that decline are certain. A
    code from 400 to 599 is an error whatever else is there: an error with an empty list must not be
    read as an empty list. The meaning of other codes is unknown: the contents decide.
    """
    if not isinstance(value, dict):
        return None
    code = integer(value.get("code"))
    if code is not None and 400 <= code < 600 and not _is_a_thing(value):
        return code, _spoken(code, value)
    if _says_failure(value, code) and not _has_contents(value):
        is_state = meaning_of(_text(value, "message"), is_server_error=False) is STATE
        status = 409 if is_state else 500
        return status, _spoken(status, value)
    return None


def _is_a_thing(value: Mapping[str, Any]) -> bool:
    """An object with an id that has a number under "code", and no words of an error."""
    has_words = any(value.get(key) for key in ("reason", "message", *_FAILURES))
    return bool(identifier(value.get("id"))) and not has_words


def _says_failure(value: Mapping[str, Any], code: int | None) -> bool:
    if flag(value.get("success")) is False or flag(value.get("ok")) is False:
        return True
    if any(value.get(key) for key in _FAILURES) or _text(value, "reason"):
        return True
    if _text(value, "status").lower() in _BAD_WORDS:
        return True
    message = _text(value, "message") or _text(value, "msg")
    if message.lower().rstrip("!. ") in _GOOD_WORDS:
        return False
    if code is not None and code != 0 and not 200 <= code < 300:
        return True
    return is_of_the_way(message) or meaning_of(message, is_server_error=False) is not None


def _has_contents(value: Mapping[str, Any]) -> bool:
    """`{"data": {}}` and an empty list beside an error do not count."""
    return any(value.get(key) for key in _CONTENTS)


def _spoken(status: int, value: Mapping[str, Any]) -> Spoken:
    """The body as an answer with that status; a nested error is used."""
    inner = mapping(value.get("error"))
    spoken = listen_to(status, inner if inner.get("reason") else value)
    if spoken.is_novita or not _text(value, "message"):
        return spoken
    # In a 2xx, a bare code and message are Novita's, unless they are about routes and gateways.
    is_foreign = is_of_the_way(_text(value, "message")) or any(value.get(k) for k in _FAILURES)
    return spoken if is_foreign else Spoken(Source.NOVITA, message=_text(value, "message"))


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    return found.strip() if isinstance(found, str) else ""
