"""Registry of message types: what endpoints can subscribe to."""

from collections.abc import Iterable
from dataclasses import dataclass

# Prefix of the messages about endpoints themselves.
OPERATIONAL = "endpoint."


@dataclass(frozen=True, slots=True)
class EventType:
    """``is_opt_in``: only sent to endpoints that name the type."""

    name: str
    description: str
    is_opt_in: bool = False


TEST = EventType("webhook.test", "A test message, sent when somebody asks for it", is_opt_in=True)
DISABLED = EventType("endpoint.disabled", "An endpoint was disabled: data.reason says why")
FAILING = EventType("endpoint.failing", "Messages to an endpoint fail for some time")
RECOVERED = EventType("endpoint.recovered", "An endpoint that was failing receives again")

_types: dict[str, EventType] = {each.name: each for each in (TEST, DISABLED, FAILING, RECOVERED)}


def register(types: Iterable[EventType]) -> None:
    """Add types; called by apps when Django is ready. A later one of the same name replaces."""
    _types.update({each.name: each for each in types})


def names() -> list[tuple[str, str]]:
    """Choices of the OpenAPI document."""
    return [(name, name) for name in sorted(_types)]


def all_types() -> tuple[EventType, ...]:
    return tuple(_types.values())


def is_subscribed(event_types: Iterable[str], name: str) -> bool:
    """True if an endpoint with these ``event_types`` (empty: all) gets messages of that name."""
    wanted = list(event_types)
    if wanted:
        return name in wanted
    kind = _types.get(name)
    return kind is None or not kind.is_opt_in
