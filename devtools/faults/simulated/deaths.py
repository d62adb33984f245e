"""Chooses from the seed where a process dies or freezes: at failpoints, calls, statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from django.db import OperationalError, connection

from jobs.failpoints import CrashedHereError

POINTS = (
    "accept.before_commit",
    "accept.after_commit",
    "action.before_accept_commit",
    "action.before_commit",
    "action.before_post",
    "action.after_post",
    "create.before_intent",
    "create.after_intent",
    "create.before_post",
    "create.after_post",
    "create.before_commit",
    "create.before_refusal_commit",
    "completer.before_commit",
    "completer.after_commit",
    "look_up.before_commit",
    "monitor.before_commit",
    "reconcile.after_look",
    "reconcile.before_commit",
    "terminate.before_accept_commit",
    "terminate.before_delete",
    "terminate.after_delete",
    "terminate.before_commit",
    "webhook.after_send",
    "worker.before_call",
    "worker.before_write",
    "call.before",
    "call.after",
    "statement.before",
    "statement.after",
)
# Points that nearly every run reaches, with the least number of visits.
SURE = {
    "call.before": 4,
    "call.after": 4,
    "completer.before_commit": 4,
    "completer.after_commit": 4,
    "statement.before": 200,
    "statement.after": 200,
    "create.after_intent": 1,
    "create.after_post": 1,
}
# How long a worker is frozen at a point. Right before the POST of a create it must be short: the
# service allows for this much, since no worker can read its clock and send at the same instant.
FREEZE_SECONDS = (16.0, 25.0, 60.0, 100.0)
BEFORE_POST_SECONDS = 16.0


@dataclass(slots=True)
class Deaths:
    """Plan: at the n-th visit of a point, the process dies, freezes or loses the database.

    ``freeze`` lets the others go on for the given seconds.
    """

    freeze: Callable[[float], None]
    tell: Callable[[str], None]
    plan: dict[tuple[str, int], str] = field(default_factory=dict)
    visits: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    is_over: bool = False
    is_worker: bool = False

    def at(self, point: str) -> None:
        """Called at every point; raises CrashedHereError where the process is to die."""
        if self.is_over:
            return
        self.visits[point] += 1
        fate = self.plan.pop((point, self.visits[point]), "")
        if fate == "die":
            self.deaths[point] += 1
            self.tell(f"†† dies at {point}")
            raise CrashedHereError(point)
        if fate == "freeze" and self.is_worker and not connection.in_atomic_block:
            self.deaths[f"{point} (frozen)"] += 1
            self.freeze(BEFORE_POST_SECONDS if point == "create.before_post" else 0.0)
        if fate == "trouble":
            self.deaths[f"{point} (trouble)"] += 1
            self.tell("the database refuses a statement")
            raise OperationalError("deadlock detected (simulated)")

    def at_statement(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Django's execute wrapper: a process may die between any two statements."""
        if not self.is_worker:
            return execute(sql, params, many, context)
        self.at("statement.before")
        result = execute(sql, params, many, context)
        self.at("statement.after")
        return result


def planned(random: Random) -> dict[tuple[str, int], str]:
    """One point that nearly every run reaches, and up to six others, each point with the same
    probability, however rarely it is reached.
    """
    sure = random.choice(list(SURE))
    plan: dict[tuple[str, int], str] = {(sure, random.randint(1, SURE[sure])): "die"}
    for _ in range(random.choice((0, 1, 1, 2, 3, 6))):
        point = random.choice(POINTS)
        most = {"statement": 600, "call": 40, "completer": 30, "worker": 30}.get(
            point.partition(".")[0], 4
        )
        fates: tuple[str, ...] = ("die", "die", "die", "freeze")
        if point == "statement.before":
            fates = ("die", "trouble", "trouble")
        plan[point, random.randint(1, most)] = random.choice(fates)
    return plan
