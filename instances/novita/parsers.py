"""Novita's answers, read: a broken item is skipped and recorded, a broken envelope raises.

Only NovitaProtocolError ever leaves this module, whatever the JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from instances.novita.errors import NovitaProtocolError
from instances.novita.items import read_instance, read_template
from instances.novita.types import Balance, InstancePage, Skipped, Template, UpstreamInstance
from instances.novita.values import identifier, integer, mapping

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ParsedList(Generic[T]):
    """What could be read of a list, and what could not."""

    items: tuple[T, ...]
    skipped: tuple[Skipped, ...] = ()
    total: int | None = None


def parse_list(body: Any, key: str, parse_item: Callable[[Any], T | None]) -> ParsedList[T]:
    """The list under `key`; null and, beside a total of 0, a missing key are empty lists."""
    raw = _envelope(body, key)
    items: list[T] = []
    skipped: list[Skipped] = []
    for index, value in enumerate(raw):
        item = parse_item(value)
        if item is None:
            skipped.append(Skipped(index, "not an object with an id"))
        else:
            items.append(item)
    return ParsedList(tuple(items), tuple(skipped), _total(body, len(raw)))


def _envelope(body: Any, key: str) -> list[Any]:
    if not isinstance(body, dict):
        raise NovitaProtocolError(f"expected an object with {key!r}")
    value = body.get(key)
    if isinstance(value, list):
        return value
    is_empty = key in body or integer(body.get("total")) == 0
    if value is None and is_empty:
        return []
    raise NovitaProtocolError(f"expected a list under {key!r}")


def parse_instance_page(body: Any) -> InstancePage:
    parsed = parse_list(body, "instances", read_instance)
    return InstancePage(parsed.items, parsed.total, parsed.skipped)


def _total(body: dict[str, Any], item_count: int) -> int | None:
    """None when it is missing or smaller than the page that it came with."""
    total = integer(body.get("total"))
    return total if total is not None and total >= item_count else None


def parse_instance(body: Any, instance_id: str) -> UpstreamInstance:
    """A bare object, or one under "instance" or "data".

    Another instance than the one asked for must never be acted upon, so its id is compared.
    """
    for candidate in (body, mapping(body).get("instance"), mapping(body).get("data")):
        instance = read_instance(candidate)
        if instance is not None:
            if instance.id != instance_id:
                raise NovitaProtocolError("the upstream answered with another instance")
            return instance
    raise NovitaProtocolError("expected an instance with an id")


def parse_template(body: Any) -> Template:
    inner = mapping(body).get("template")
    first = inner[0] if isinstance(inner, list) and inner else inner
    template = read_template(first) or read_template(body)
    if template is None:
        raise NovitaProtocolError("expected a template with an id")
    return template


def parse_created_id(body: Any) -> str:
    """Without an id nobody knows whether an instance was made, so the error says so."""
    data = mapping(body)
    for value in (data.get("id"), data.get("instanceId"), mapping(data.get("data")).get("id")):
        if found := identifier(value):
            return found
    raise NovitaProtocolError("create was accepted without an id", is_outcome_unknown=True)


def parse_balance(body: Any) -> Balance:
    data = mapping(body)
    available = integer(data.get("availableBalance"))
    if available is None:
        raise NovitaProtocolError("expected a balance")
    cash, credit = integer(data.get("cashBalance")), integer(data.get("creditLimit"))
    return Balance(available * 10, (cash or 0) * 10, (credit or 0) * 10)
