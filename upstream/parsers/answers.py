"""Parses Novita's answers; an unreadable item is skipped and recorded, other errors raise.

Raises only UnreadableAnswer, for any JSON: the call failed, which is no sign of an outage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from upstream.errors import BlankAnswer, UnreadableAnswer
from upstream.parsers.envelopes import find_created_id, find_list, objects
from upstream.parsers.items import read_instance
from upstream.parsers.template_items import read_template
from upstream.types import Balance, InstancePage, Skipped, Template, UpstreamInstance
from upstream.values import mapping, whole

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ParsedList(Generic[T]):
    """The readable items of a list, and the skipped ones."""

    items: tuple[T, ...]
    skipped: tuple[Skipped, ...] = ()
    total: int | None = None


def parse_list(body: Any, key: str, parse_item: Callable[[Any], T | None]) -> ParsedList[T]:
    """The list under `key`, or in another wrapping; see `envelopes`."""
    raw, total = find_list(body, key)
    items: list[T] = []
    skipped: list[Skipped] = []
    for index, value in enumerate(raw):
        item = parse_item(value)
        if item is None:
            skipped.append(Skipped(index, "not an object with an id"))
        else:
            items.append(item)
    # A total below the number of items on the page is ignored.
    total = total if total is not None and total >= len(raw) else None
    return ParsedList(tuple(items), tuple(skipped), total)


def parse_instance_page(body: Any) -> InstancePage:
    """One page. A missing list without a total raises: decisions by this list end GPUs."""
    parsed = parse_list(body, "instances", read_instance)
    is_told = isinstance(body, list) or _has_list(body)
    if not parsed.items and not parsed.skipped and parsed.total is None and not is_told:
        raise UnreadableAnswer("expected a list of instances, or a total")
    return InstancePage(parsed.items, parsed.total, parsed.skipped)


def _has_list(body: Any) -> bool:
    layers = (mapping(body), mapping(mapping(body).get("data")))
    return any(isinstance(value, list) for layer in layers for value in layer.values())


def parse_instance(body: Any, instance_id: str) -> UpstreamInstance:
    """A bare object, or one under "instance" or "data".

    Raises for another instance than the requested one, which must not be acted upon. Ids are
    compared without case.
    """
    for candidate in objects(body, "instance"):
        instance = read_instance(candidate)
        if instance is not None:
            if instance.id.casefold() != instance_id.casefold():
                raise UnreadableAnswer("the answer is about another instance")
            return replace(instance, id=instance_id)
    raise BlankAnswer("the answer contains no instance")


def parse_template(body: Any, template_id: str) -> Template:
    """The template. Raises for another one than the requested one, which must not be cached."""
    for candidate in objects(body, "template"):
        template = read_template(candidate)
        if template is not None:
            if template.id != template_id:
                raise UnreadableAnswer("the answer is about another template")
            return template
    raise UnreadableAnswer("expected a template with an id")


def parse_created_id(body: Any) -> str:
    """The id. Raises without exactly one id: the outcome is then unknown."""
    if found := find_created_id(body):
        return found
    raise UnreadableAnswer(
        "the create was accepted, but the answer has no id", is_outcome_unknown=True
    )


def parse_balance(body: Any) -> Balance:
    """The balance. Raises unless it is in the documented unit; unreadable parts of it are 0."""
    data = mapping(body)
    if "availableBalance" not in data:
        data = mapping(data.get("data"))
    available = whole(data.get("availableBalance"))
    if available is None:
        raise UnreadableAnswer("expected a balance in whole units")
    cash, credit = whole(data.get("cashBalance")), whole(data.get("creditLimit"))
    return Balance(available * 10, (cash or 0) * 10, (credit or 0) * 10)
