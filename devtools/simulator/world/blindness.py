"""Blindness: for a time the service does not show instances that exist and are billed.

Lists are empty or incomplete, reads by id answer not-found, and the world goes on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from devtools.simulator.errors import ControlError
from devtools.simulator.validation import build

# An alias, because in the class below `list` is a field.
Ids = list[str] | str
LISTS = ("normal", "empty", "without")
ALL = "all"


@dataclass
class Blindness:
    """What is hidden; by default nothing. Durations in simulated seconds."""

    list: str = "normal"
    """`empty`: no items and `total` 0; `without`: the items of `ids` are left out."""
    ids: Ids = ALL
    """Ids, or "all", which includes instances created later."""
    direct: bool = False
    """Reads of these ids answer not-found, in the words of the settings."""
    actions: bool = False
    """Start, stop, delete and all other calls on these ids do nothing and answer not-found."""
    keep_total: bool = False
    """`total` still counts the items that the list leaves out."""
    for_seconds: float | None = None
    """None: until a call ends it."""
    since_ms: int = 0

    @classmethod
    def parse(cls, body: dict[str, Any], now_ms: int) -> Blindness:
        """Raises ControlError for unknown fields or words."""
        made = build(cls, {**body, "since_ms": now_ms})
        if made.list not in LISTS:
            raise ControlError(f"list must be one of {', '.join(LISTS)}")
        if isinstance(made.ids, str) and made.ids != ALL:
            raise ControlError('ids must be a list of ids or "all"')
        return made

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def holds(self, now_ms: int) -> bool:
        if self.for_seconds is None:
            return True
        return now_ms - self.since_ms < round(self.for_seconds * 1000)

    def hides_in_list(self, instance_id: str, now_ms: int) -> bool:
        if self.list == "normal" or not self.holds(now_ms):
            return False
        return self.list == "empty" or self._names(instance_id)

    def hides_directly(self, instance_id: str, now_ms: int, *, is_read: bool) -> bool:
        """True if a read of this id, or an action on it, answers not-found."""
        is_hidden = self.direct if is_read else self.actions
        return is_hidden and self._names(instance_id) and self.holds(now_ms)

    def _names(self, instance_id: str) -> bool:
        return self.ids == ALL or instance_id in self.ids
