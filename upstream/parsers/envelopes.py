"""Finds the contents of an answer, as documented or in another usual wrapping.

Never guesses: a list that cannot be found is not an empty list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from upstream.errors import UnreadableAnswer
from upstream.values import identifier, integer, mapping

_WRAPPINGS = ("data", "result", "response")
_LISTS = ("list", "items", "records", "rows")
_TOTALS = ("total", "totalCount", "total_count", "count")
# A bare id, without a field name: hexadecimal or a UUID, to exclude words such as "ok".
_BARE_ID = re.compile(r"[0-9a-f]{8,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Values that servers send for "no id".
_NO_IDS = frozenset({"", "0", "-1", "null", "none", "None", "undefined"})
_ID_KEYS = ("id", "instanceId", "Id", "instance_id", "instanceID")


def find_list(body: Any, key: str) -> tuple[list[Any], int | None]:
    """The list and its total (None if missing). Raises UnreadableAnswer.

    Null is an empty list; so is a missing list with a total of 0.
    """
    if isinstance(body, list):
        return body, None
    outer_total = _total(mapping(body))
    for layer in _layers(body):
        for name in (key, *_LISTS, *_WRAPPINGS):
            if isinstance(found := layer.get(name), list):
                total = _total(layer)
                return found, outer_total if total is None else total
    for layer in _layers(body):
        if (key in layer and layer[key] is None) or _total(layer) == 0:
            return [], 0 if _total(layer) == 0 else outer_total
    raise UnreadableAnswer(f"expected a list under {key!r}")


def objects(body: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """Objects that may be the requested one: the body, and the objects that it wraps."""
    for layer in (*_layers(body), mapping(body).get(key)):
        inner = mapping(layer).get(key)
        for candidate in (inner, layer):
            first = candidate[0] if isinstance(candidate, list) and candidate else candidate
            if found := mapping(first):
                yield found


def find_created_id(body: Any) -> str:
    """The id in the answer to a create; "" if there is none, or two that differ."""
    found = {_bare_id(body)}
    for holder in objects(body, "instance"):
        found |= {identifier(holder.get(key)) for key in _ID_KEYS}
        found |= {_bare_id(holder.get(key)) for key in _WRAPPINGS}
        found |= {_only(holder.get(key)) for key in ("ids", "instanceIds")}
    found -= _NO_IDS
    return found.pop() if len(found) == 1 else ""


def _layers(body: Any) -> Iterator[Mapping[str, Any]]:
    outer = mapping(body)
    yield outer
    for name in _WRAPPINGS:
        inner = outer.get(name)
        first = inner[0] if isinstance(inner, list) and len(inner) == 1 else inner
        if found := mapping(first):
            yield found


def _total(layer: Mapping[str, Any]) -> int | None:
    return next((found for key in _TOTALS if (found := integer(layer.get(key))) is not None), None)


def _bare_id(value: object) -> str:
    return value if isinstance(value, str) and _BARE_ID.fullmatch(value) else ""


def _only(value: object) -> str:
    return identifier(value[0]) if isinstance(value, list) and len(value) == 1 else ""
