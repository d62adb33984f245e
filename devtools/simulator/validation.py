"""Builds dataclasses from the JSON of control calls and checks their types.

A wrong type accepted here would break every later call that reads it, far from its cause.
"""

from __future__ import annotations

from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from devtools.simulator.errors import ControlError

Record = TypeVar("Record")


def check_fields(cls: type[Any], body: dict[str, Any]) -> None:
    """Raises ControlError for a field that is unknown or has another type than the dataclass."""
    hints = get_type_hints(cls)
    known = [item.name for item in fields(cls)]
    for name, value in body.items():
        if name not in known:
            raise ControlError(f"unknown field {name!r}; known: {', '.join(known)}")
        if not _fits(value, hints[name]):
            raise ControlError(f"field {name!r} must be {hints[name]}, not {value!r}")


def build(cls: type[Record], body: dict[str, Any]) -> Record:
    check_fields(cls, body)
    return cls(**body)


def _fits(value: Any, hint: Any) -> bool:
    """Checks the outermost type of a collection, and the types of its items if they are simple."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return any(_fits(value, option) for option in args)
    if origin is list:
        return isinstance(value, list) and all(_fits(item, args[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, args[1]) for item in value.values())
    if hint is Any or (hint is NoneType and value is None):
        return True
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint
