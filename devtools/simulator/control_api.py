"""`/_sim/`: calls that control the simulator itself, from loopback, without a key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devtools.simulator import endpoints
from devtools.simulator.api import Answer, Api
from devtools.simulator.errors import ApiError, ControlError
from devtools.simulator.faults import Fault
from devtools.simulator.forms import check_choices
from devtools.simulator.http import Json, Request, json_response
from devtools.simulator.ledger import instance_truth
from devtools.simulator.validation import build
from devtools.simulator.world.blindness import Blindness
from devtools.simulator.world.creation import create_instance
from devtools.simulator.world.defaults import template
from devtools.simulator.world.scheduled_events import force
from devtools.simulator.world.stock import StockRule
from devtools.simulator.world.world import World

PREFIX = "/_sim"


@dataclass
class ClockChange:
    """Move the simulated clock ahead, or change its speed (0 stops it)."""

    advance_seconds: float = 0.0
    scale: float | None = None


class ControlApi:
    """Answers control calls and calls of endpoints; passes all others to the service."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.world: World = api.world
        self._routes: dict[tuple[str, str], Callable[[int, Request], Any]] = {
            ("GET", "/ledger"): self._ledger,
            ("GET", "/calls"): self._calls,
            ("DELETE", "/calls"): self._reset_calls,
            ("GET", "/faults"): self._list_faults,
            ("POST", "/faults"): self._add_fault,
            ("DELETE", "/faults"): self._drop_faults,
            ("GET", "/stock"): self._list_stock,
            ("POST", "/stock"): self._add_stock,
            ("DELETE", "/stock"): self._drop_stock,
            ("GET", "/blindness"): self._get_blindness,
            ("POST", "/blindness"): self._set_blindness,
            ("DELETE", "/blindness"): self._end_blindness,
            ("GET", "/settings"): self._get_settings,
            ("POST", "/settings"): self._set_settings,
            ("GET", "/clock"): self._get_clock,
            ("POST", "/clock"): self._set_clock,
            ("POST", "/instances"): self._make_instance,
            ("POST", "/templates"): self._make_template,
        }

    def handle(self, request: Request) -> Answer:
        if request.path.startswith(endpoints.PREFIX):
            with self.world.session() as now_ms:
                return Answer(endpoints.answer(self.world, now_ms, request))
        if not request.path.startswith(PREFIX + "/"):
            return self.api.handle(request)
        try:
            with self.world.session() as now_ms:
                return Answer(json_response(self._dispatch(now_ms, request)))
        except ApiError as error:
            return Answer(json_response(error.body(), error.status))
        except ControlError as error:
            return Answer(json_response({"error": str(error)}, 400))

    def _dispatch(self, now_ms: int, request: Request) -> Any:
        path = request.path.removeprefix(PREFIX)
        handler = self._routes.get((request.method, path))
        if handler is not None:
            return handler(now_ms, request)
        start, _, instance_id = path.rpartition("/")
        if request.method == "POST" and start == "/instances":
            return self._force(now_ms, instance_id, request)
        raise ControlError(f"unknown control call {request.method} {request.path}")

    def _ledger(self, now_ms: int, request: Request) -> Json:
        made = [*self.world.gone.values(), *self.world.instances.values()]
        made.sort(key=lambda instance: instance.created_ms)
        return {
            "simMs": now_ms,
            "balanceE5Usd": self.world.balance.balance_e5(),
            "instances": [instance_truth(instance, now_ms) for instance in made],
            "calls": self.world.store.ledger(),
        }

    def _calls(self, now_ms: int, request: Request) -> Json:
        return self.api.calls.as_json(request.query.get("path", ""))

    def _reset_calls(self, now_ms: int, request: Request) -> Json:
        self.api.calls.reset()
        return {}

    def _list_faults(self, now_ms: int, request: Request) -> Json:
        return {"faults": [fault.as_json() for fault in self.api.plan.faults]}

    def _add_fault(self, now_ms: int, request: Request) -> Json:
        fault = Fault.parse(request.json())
        self.api.add_fault(fault)
        return fault.as_json()

    def _drop_faults(self, now_ms: int, request: Request) -> Json:
        self.api.plan.remove(request.query.get("id", ""))
        self.api.save_faults()
        return {}

    def _list_stock(self, now_ms: int, request: Request) -> Json:
        return {"rules": [rule.as_json() for rule in self.world.stock.rules]}

    def _add_stock(self, now_ms: int, request: Request) -> Json:
        self.world.stock.rules.append(build(StockRule, request.json()))
        self.world.save_stock_rules()
        return self._list_stock(now_ms, request)

    def _drop_stock(self, now_ms: int, request: Request) -> Json:
        self.world.stock.rules = []
        self.world.save_stock_rules()
        return {}

    def _get_blindness(self, now_ms: int, request: Request) -> Json:
        blindness = self.world.blindness
        return {**blindness.as_json(), "holds": blindness.holds(now_ms)}

    def _set_blindness(self, now_ms: int, request: Request) -> Json:
        self.world.set_blindness(Blindness.parse(request.json(), now_ms))
        return self._get_blindness(now_ms, request)

    def _end_blindness(self, now_ms: int, request: Request) -> Json:
        self.world.set_blindness(Blindness())
        return self._get_blindness(now_ms, request)

    def _get_settings(self, now_ms: int, request: Request) -> Json:
        return self.world.settings.as_json()

    def _set_settings(self, now_ms: int, request: Request) -> Json:
        changes = request.json()
        check_choices(changes)
        self.world.change_settings(changes)
        return self.world.settings.as_json()

    def _get_clock(self, now_ms: int, request: Request) -> Json:
        clock = self.world.clock
        return {"simMs": clock.now_ms(), "scale": clock.scale, "originMs": self.world.origin_ms}

    def _set_clock(self, now_ms: int, request: Request) -> Json:
        change = build(ClockChange, request.json())
        if change.advance_seconds < 0 or (change.scale or 0) < 0:
            raise ControlError("the clock does not run backwards")
        if change.scale is not None:
            self.world.clock.set_scale(change.scale)
        self.world.clock.advance(change.advance_seconds)
        self.world.save_clock()
        self.world.replay_due()
        return self._get_clock(now_ms, request)

    def _make_instance(self, now_ms: int, request: Request) -> Json:
        """A foreign instance: made without the API's key, faults and limits, as by another user."""
        defaults: Json = {
            "productId": "4090.16c62g",
            "gpuNum": 1,
            "rootfsSize": 60,
            "imageUrl": "ubuntu:latest",
            "kind": "gpu",
        }
        body = {**defaults, **request.json()}
        made = create_instance(self.world, now_ms, body, origin="foreign")
        return instance_truth(made, now_ms)

    def _make_template(self, now_ms: int, request: Request) -> Json:
        """Store a template with the given id and fields, unchecked; replaces one with that id."""
        fields = {"Id": "", "name": "", "channel": "private", "image": "", **request.json()}
        template_id, name, channel, image = (
            str(fields.pop(field)) for field in ("Id", "name", "channel", "image")
        )
        made = template(template_id, name, channel, image, **fields)
        if not template_id or set(made) != set(template("", "", "", "")):
            raise ControlError("a template needs an Id, and has no other fields than the service's")
        self.world.put_thing("template", template_id, made)
        return made

    def _force(self, now_ms: int, instance_id: str, request: Request) -> Json:
        instance = self.world.instances.get(instance_id)
        if instance is None:
            raise ControlError(f"no instance {instance_id}")
        force(self.world, instance, now_ms, request.json())
        return instance_truth(instance, now_ms)
