"""Scripted faults: the calls that they apply to, how often, and their effect for the client."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from devtools.simulator.errors import ControlError
from devtools.simulator.http import Request
from devtools.simulator.presets import PRESETS
from devtools.simulator.validation import build

EFFECTS = ("delay", "status", "reset", "close", "hang", "drip")


@dataclass
class Fault:
    """One rule. All durations are real seconds, because sockets use real time.

    `when` is the time of the failure: `before`: the call never reaches the world; `after`: it has
    taken effect, although the client cannot know. `delay` changes only the time. A drip always
    sends the true answer, byte by byte.
    """

    effect: str = "delay"
    preset: str = ""
    """Name of an answer in `presets`; other given fields have precedence over the preset's."""
    when: str = "before"
    method: str = ""
    path: str = ""
    query: str = ""
    body: str = ""
    """Regular expressions: `path` is searched in the path, `query` in the decoded query
    (`instanceId=abc`), `body` in the request's body."""
    nth: list[int] = field(default_factory=list)
    """Apply only to these matching calls, counted from 1; empty for all."""
    skip: int = 0
    count: int | None = None
    """Apply at most this many times; None for no limit."""
    probability: float = 1.0
    seed: int = 0
    starts_in_seconds: float = 0.0
    for_seconds: float | None = None

    latency_seconds: float = 0.0
    status: int = 500
    answer: str = ""
    """The body of effect `status`; empty for the service's own error form."""
    content_type: str = ""
    is_empty: bool = False
    """Effect `status` sends no body and no content type."""
    reason: str = ""
    message: str = "scripted failure"
    headers: dict[str, str] = field(default_factory=dict)
    retry_after: int | None = None
    hang_seconds: float = 3600.0
    drip_headers: bool = False
    """Drip the status line and the headers too (slow-loris), not only the body."""
    drip_bytes: int = 1
    drip_seconds: float = 0.05

    id: str = ""
    ordered_ms: int = 0
    seen: int = 0
    struck: int = 0

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Fault:
        """Raises ControlError for unknown fields, presets or effects and invalid expressions."""
        fault = build(cls, {**_preset(body), **body})
        if fault.effect not in EFFECTS or fault.when not in ("before", "after"):
            raise ControlError(f"effect must be one of {', '.join(EFFECTS)}; when before or after")
        try:
            for expression in (fault.path, fault.query, fault.body):
                re.compile(expression)
        except re.error as error:
            raise ControlError(f"bad expression: {error}") from error
        return fault

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def matches(self, request: Request, real_ms: int) -> bool:
        if self.method and self.method.upper() != request.method:
            return False
        age_seconds = (real_ms - self.ordered_ms) / 1000 - self.starts_in_seconds
        if age_seconds < 0 or (self.for_seconds is not None and age_seconds >= self.for_seconds):
            return False
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        if not re.search(self.path, request.path) or not re.search(self.query, query):
            return False
        return not self.body or bool(re.search(self.body, request.body.decode(errors="replace")))

    def decide(self) -> bool:
        """Count a matching call; True if the rule applies to it. Reproducible from the seed."""
        self.seen += 1
        if self.seen <= self.skip or (self.nth and self.seen not in self.nth):
            return False
        if self.count is not None and self.struck >= self.count:
            return False
        if _draw(self.seed, self.seen) >= self.probability:
            return False
        self.struck += 1
        return True


class FaultPlan:
    """The active rules, oldest first; the first one that applies is used."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults

    def strike(self, request: Request, real_ms: int) -> tuple[Fault | None, bool]:
        """The fault for this call, and True if any counter changed."""
        counted = False
        for fault in self.faults:
            if fault.matches(request, real_ms):
                counted = True
                if fault.decide():
                    return fault, True
        return None, counted

    def add(self, fault: Fault, real_ms: int) -> None:
        fault.id = str(max((int(known.id) for known in self.faults), default=0) + 1)
        fault.ordered_ms = real_ms
        self.faults.append(fault)

    def remove(self, fault_id: str = "") -> None:
        """Remove one rule, or all of them."""
        self.faults = [fault for fault in self.faults if fault_id and fault.id != fault_id]


def _preset(body: dict[str, Any]) -> dict[str, Any]:
    name = body.get("preset") or ""
    if name and name not in PRESETS:
        raise ControlError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name] if name else {}


def _draw(seed: int, nth: int) -> float:
    digest = hashlib.blake2b(f"{seed}/{nth}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
