"""Orders: a test makes something happen to an instance without an action of the client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from devtools.simulator.errors import ControlError
from devtools.simulator.http import Json
from devtools.simulator.validation import build
from devtools.simulator.world.actions import stop
from devtools.simulator.world.creation import add_trouble
from devtools.simulator.world.moving import fail_move, move
from devtools.simulator.world.records import Instance
from devtools.simulator.world.spot import plan_reclaim, withdraw
from devtools.simulator.world.timeline import GONE
from devtools.simulator.world.world import World


@dataclass
class ScheduledEvent:
    """An order and the fields of all orders; durations in simulated seconds."""

    order: str = ""
    status: str = ""
    state: str = ""
    message: str = ""
    cluster: str = ""
    """Target of `move`; empty: any other cluster with room."""
    after_seconds: float = 0.0
    for_seconds: float = 60.0
    """Duration of `trouble`."""
    notice_seconds: float | None = None
    force: bool = False
    """Do not wait for the end of the protected time."""


def force(world: World, instance: Instance, now_ms: int, event: Json) -> None:
    """Carry out `{"order": name, ...}`; raises ControlError for an unknown one."""
    wanted = build(ScheduledEvent, event)
    handler = SCHEDULED_EVENTS.get(wanted.order)
    if handler is None:
        raise ControlError(f"unknown order {wanted.order!r}; known: {', '.join(SCHEDULED_EVENTS)}")
    handler(world, instance, now_ms, wanted)
    world.changed(instance, now_ms)


def _stick(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    """Stay in a status until the next action or order."""
    world.replan(instance, now_ms, [(0, event.status or instance.status(now_ms))])


def _fail(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    word = event.status or world.settings.status_after_failure
    message = event.message or "failed to pull image"
    instance.errors.append([now_ms, event.state or "pulling", message])
    world.replan(instance, now_ms, [(0, word)])


def _trouble(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    """A temporary `statusError`; the timeline goes on as planned."""
    begin_ms = now_ms + round(event.after_seconds * 1000)
    end_ms = begin_ms + round(event.for_seconds * 1000)
    add_trouble(instance, begin_ms, end_ms, event.state, event.message)


def _run(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    delay_ms = round(event.after_seconds * 1000)
    instance.errors = [entry for entry in instance.errors if entry[0] <= now_ms]
    if instance.errors:
        instance.errors.append([now_ms, "", ""])
    world.replan(instance, now_ms, [(delay_ms, "running")])


def _vanish(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    world.replan(instance, now_ms, [(0, GONE)])


def _stop(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    stop(world, instance, now_ms)


def _freeze(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    world.replan(instance, now_ms, [(0, "freezing"), (1000, "exited")])


def _notify(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    """The reclaim notice: now if `force`, else not before the protected time is over."""
    protected_ms = round(world.settings.spot_protection_seconds * 1000)
    earliest_ms = now_ms if event.force else instance.created_ms + protected_ms
    notice_ms = max(now_ms, earliest_ms)
    plan_reclaim(world, instance, now_ms, notice_ms, event.notice_seconds)


def _withdraw(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    withdraw(world, instance, now_ms)


def _move(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    """A move by the service itself; with a message, the move fails at its end."""
    move(world, instance, now_ms, event.cluster, event.message)


def _fail_move(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    fail_move(world, instance, now_ms, event.message or "migrate failed: no available node")


def _reclaim(world: World, instance: Instance, now_ms: int, event: ScheduledEvent) -> None:
    """Reclaim at once, without notice."""
    plan_reclaim(world, instance, now_ms, now_ms, 0)


SCHEDULED_EVENTS: dict[str, Callable[[World, Instance, int, ScheduledEvent], None]] = {
    "stick": _stick,
    "fail": _fail,
    "trouble": _trouble,
    "run": _run,
    "vanish": _vanish,
    "stop": _stop,
    "freeze": _freeze,
    "spot_notice": _notify,
    "spot_withdraw": _withdraw,
    "spot_reclaim": _reclaim,
    "move": _move,
    "fail_move": _fail_move,
}
