"""Instances: create, read, and actions on an existing one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from devtools.simulator.errors import DoneAnywayError, invalid
from devtools.simulator.forms import CREATED, ENVELOPES, another, total
from devtools.simulator.http import Json, Request, Routes
from devtools.simulator.routes.paging import page
from devtools.simulator.shapes import full_instance, listed_instance
from devtools.simulator.world import actions
from devtools.simulator.world.creation import create_instance
from devtools.simulator.world.records import Instance
from devtools.simulator.world.world import World


def create(world: World, now_ms: int, request: Request) -> Json:
    made = create_instance(world, now_ms, request.json())
    return CREATED[world.settings.create_reply](made.id)


def get(world: World, now_ms: int, request: Request) -> Json:
    instance = named(world, now_ms, request)
    if "instance" not in world.settings.answers_another:
        return full_instance(world, instance, now_ms)
    other = another(list(world.instances), instance.id)
    body = full_instance(world, world.instances.get(other, instance), now_ms)
    return {**body, "id": other}


def list_(world: World, now_ms: int, request: Request) -> Any:
    """Newest first; items may shift between two pages while instances come and go."""
    lag_ms = round(world.settings.list_lag_seconds * 1000)
    there = [
        instance
        for instance in reversed(world.instances.values())
        if now_ms - instance.created_ms >= lag_ms and _matches(instance, now_ms, request.query)
    ]
    blindness = world.blindness
    found = [it for it in there if not blindness.hides_in_list(it.id, now_ms)]
    shown = page(world.settings, request, found)
    count = total(world, len(there if blindness.keep_total else found))
    items = [listed_instance(world, instance, now_ms) for instance in shown]
    return ENVELOPES[world.settings.list_envelope](items, count)


def _matches(instance: Instance, now_ms: int, query: dict[str, str]) -> bool:
    name, product, status = query.get("name"), query.get("productName"), query.get("status")
    if name and name.lower() not in instance.name.lower():
        return False
    if product and product.lower() not in instance.product_name.lower():
        return False
    return not status or instance.status(now_ms) == status


def named(world: World, now_ms: int, request: Request) -> Instance:
    """The instance of a call; raises VALIDATOR_PARAM without an id, else not-found."""
    instance_id = request.text("instanceId")
    if not instance_id:
        raise invalid("instanceId", "value length must be at least 1 runes")
    is_read = request.method == "GET"
    return actions.find_instance(world, now_ms, instance_id, is_read=is_read)


def action(name: str, perform: Callable[[World, Instance, int], None]) -> Callable[..., Json]:
    """A call that changes an instance; with a setting, it answers 400 although it took effect."""

    def handle(world: World, now_ms: int, request: Request) -> Json:
        instance = named(world, now_ms, request)
        perform(world, instance, now_ms)
        if name in world.settings.action_400_yet_done:
            raise DoneAnywayError
        return {"instanceId": instance.id, "state": instance.status(now_ms)}

    return handle


def delete(world: World, now_ms: int, request: Request) -> Json | None:
    answer = action("delete", actions.delete)(world, now_ms, request)
    return {"object": {}, "fields": answer}.get(world.settings.delete_reply)


ROUTES: Routes = {
    ("POST", "/gpu/instance/create"): create,
    ("GET", "/gpu/instance"): get,
    ("GET", "/gpu/instances"): list_,
    ("POST", "/gpu/instance/start"): action("start", actions.start),
    ("POST", "/gpu/instance/stop"): action("stop", actions.stop),
    ("POST", "/gpu/instance/restart"): action("restart", actions.restart),
    ("POST", "/gpu/instance/migrate"): action("migrate", actions.migrate),
    ("POST", "/gpu/instance/delete"): delete,
}
