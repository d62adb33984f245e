"""Forms of amounts, words and envelopes in answers: types, spellings and structures that vary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from devtools.simulator.errors import ControlError
from devtools.simulator.http import Json
from devtools.simulator.presets import PRESETS
from devtools.simulator.world.catalogue import Cluster
from devtools.simulator.world.world import World

AMOUNTS: dict[str, Callable[[int, int], Any]] = {
    "string": lambda amount, unit: str(amount),
    "integer": lambda amount, unit: amount,
    "decimal": lambda amount, unit: _decimal(amount, unit),
    "float": lambda amount, unit: amount / unit,
    "empty": lambda amount, unit: "",
    "null": lambda amount, unit: None,
}
"""An amount of money in the unit of the service; `decimal` and `float` are in USD."""

CASES: dict[str, Callable[[str], str]] = {
    "": lambda word: word,
    "upper": str.upper,
    "lower": str.lower,
    "title": lambda word: word[:1].upper() + word[1:],
    "blanks": lambda word: f" {word} " if word else word,
}

REGIONS: dict[str, Callable[[World, Cluster], str]] = {
    "name": lambda world, cluster: cluster_name(world, cluster),
    "id": lambda world, cluster: cluster.id,
    "code": lambda world, cluster: cluster.name.partition(" (")[0],
    "lower": lambda world, cluster: cluster.name.lower(),
    "unknown": lambda world, cluster: f"Zone {cluster.id[-1]} of {len(cluster.id)}",
}
"""Form of cluster names in a product; `unknown` names no cluster."""

ENVELOPES: dict[str, Callable[[list[Json], Any], Any]] = {
    "instances": lambda items, total: {"instances": items, "total": total},
    "no_total": lambda items, total: {"instances": items},
    "zero_total": lambda items, total: {"instances": items, "total": 0},
    "paged": lambda items, total: {
        "instances": items, "total": total, "pageSize": len(items), "pageNum": 1,
    },
    "data": lambda items, total: {"data": items, "total": total},
    "data.list": lambda items, total: {"data": {"list": items, "total": total}},
    "data.instances": lambda items, total: {"data": {"instances": items, "total": total}},
    "list": lambda items, total: {"list": items, "total": total},
    "array": lambda items, total: items,
    "null": lambda items, total: {"instances": items or None, "total": total},
    "empty": lambda items, total: {},
}  # fmt: skip
"""Envelopes of the list of instances."""

CREATED: dict[str, Callable[[str], Json]] = {
    "id": lambda made: {"id": made},
    "instanceId": lambda made: {"instanceId": made},
    "data": lambda made: {"data": {"id": made}},
    "id_and_more": lambda made: {"id": made, "code": 0, "message": "success"},
    "none": lambda made: {},
}
"""Forms of the answer of a create."""

CHOICES: dict[str, tuple[str, ...]] = {
    "price_form": tuple(AMOUNTS),
    "instance_price_form": tuple(AMOUNTS),
    "balance_form": tuple(AMOUNTS),
    "status_case": tuple(CASES),
    "words_case": tuple(CASES),
    "regions_form": tuple(REGIONS),
    "list_envelope": tuple(ENVELOPES),
    "create_reply": tuple(CREATED),
    "unknown_route": ("", *PRESETS),
    "job_error_field": ("error", "message", "errorMessage"),
}
"""The settings that choose one of these forms."""


def check_choices(changes: Json) -> None:
    """Raises ControlError for an unknown form, which would break every later answer."""
    for name in CHOICES.keys() & changes.keys():
        if changes[name] not in CHOICES[name]:
            raise ControlError(f"{name} must be one of {', '.join(CHOICES[name])}")


def cluster_name(world: World, cluster: Cluster) -> str:
    """The display name; in the older form without the place in brackets."""
    if world.settings.region_names_short:
        return cluster.name.partition(" (")[0]
    return f"{cluster.name} · 云" if world.settings.unicode else cluster.name


def price(world: World, amount: int) -> Any:
    """Prices arrive as strings although the documentation says integer."""
    return AMOUNTS[world.settings.price_form](amount, 100_000)


def instance_price(world: World, amount: int) -> Any:
    return AMOUNTS[world.settings.instance_price_form](amount, 100_000)


def balance(world: World, amount: int) -> Any:
    return AMOUNTS[world.settings.balance_form](amount, 10_000)


def total(world: World, count: int) -> Any:
    return str(count) if world.settings.total_as_string else count


def status_word(world: World, word: str) -> str:
    """A status of an instance or of its reclaim."""
    return CASES[world.settings.status_case](word)


def word(world: World, text: str) -> str:
    """Any other word of an enumeration: port types, billing modes, inventory states."""
    return CASES[world.settings.words_case](text)


def another(known: list[str], asked: str) -> str:
    """An id that differs from the requested one: of another record, if there is one."""
    return next((other for other in known if other != asked), asked[::-1])


def _decimal(amount: int, unit: int) -> str:
    """The exact amount in USD: 35000 in units of 1/100,000 is "0.35"."""
    digits = len(str(unit)) - 1
    whole, part = divmod(abs(amount), unit)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{part:0{digits}d}".rstrip("0").rstrip(".")
