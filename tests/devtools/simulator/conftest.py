"""A simulator without a socket and with a clock that stands still until pushed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from devtools.simulator.api import ACCOUNT_BASE, GPU_BASE, Answer, Api
from devtools.simulator.clock import SimulatedClock
from devtools.simulator.control_api import ControlApi
from devtools.simulator.http import Request
from devtools.simulator.store import Store
from devtools.simulator.world.world import World

KEY = "test-key"
BODY = {
    "name": "one",
    "kind": "gpu",
    "productId": "A100-40GB.12c120g",
    "gpuNum": 2,
    "rootfsSize": 100,
    "imageUrl": "ghcr.io/acme/train:1",
    "clusterId": "us-ca-6",
    "ports": "8888/http,22/tcp",
    "envs": [{"key": "A", "value": "1"}],
}


class Reply:
    """Status and decoded body of an answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.status = answer.response.status
        self.headers = answer.response.headers
        self.raw = answer.response.body

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def reason(self) -> str:
        return "" if self.status == 200 else self.json["reason"]


class Cloud:
    """Speaks to the simulator as a client would, minus the wire."""

    def __init__(self, store: Store | None = None) -> None:
        self.real_ms = 1_800_000_000_000
        self.slept: list[float] = []
        self.store = store or Store()
        anchor, _ = self.store.fact("clock") or (None, 0)
        clock = SimulatedClock(0.0, real_ms=lambda: self.real_ms, anchor=anchor)
        self.world = World(self.store, clock, seed=7)
        self.api = Api(self.world, KEY, sleep=self.slept.append, real_ms=lambda: self.real_ms)
        self.control = ControlApi(self.api)

    def send(self, method: str, target: str, body: Any = None, key: str = KEY) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return Reply(self.control.handle(Request.parse(method, target, headers, data)))

    def get(self, path: str, **query: Any) -> Reply:
        return self.send("GET", f"{GPU_BASE}{path}?{urlencode(query)}")

    def post(self, path: str, body: Any) -> Reply:
        return self.send("POST", GPU_BASE + path, body)

    def account(self, path: str, **query: Any) -> Reply:
        return self.send("GET", f"{ACCOUNT_BASE}{path}?{urlencode(query)}")

    def sim(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.send(method, f"/_sim{path}", body, key="")
        assert reply.status == 200, reply.raw
        return reply.json

    def settings(self, **changes: Any) -> None:
        self.sim("POST", "/settings", changes)

    def advance(self, seconds: float) -> None:
        self.sim("POST", "/clock", {"advance_seconds": seconds})

    def create(self, **changes: Any) -> str:
        reply = self.try_create(**changes)
        assert reply.status == 200, reply.raw
        instance_id: str = reply.json["id"]
        return instance_id

    def try_create(self, **changes: Any) -> Reply:
        return self.post("/gpu/instance/create", {**BODY, **changes})

    def running(self, **changes: Any) -> str:
        instance_id = self.create(**changes)
        self.advance(20)
        return instance_id

    def instance(self, instance_id: str) -> Any:
        return self.get("/gpu/instance", instanceId=instance_id).json

    def status(self, instance_id: str) -> str:
        status: str = self.instance(instance_id)["status"]
        return status

    def act(self, action: str, instance_id: str, **fields: Any) -> Reply:
        return self.post(f"/gpu/instance/{action}", {"instanceId": instance_id, **fields})

    def order(self, instance_id: str, order: str, **fields: Any) -> Any:
        return self.sim("POST", f"/instances/{instance_id}", {"order": order, **fields})

    def truth(self, instance_id: str) -> Any:
        ledger = self.sim("GET", "/ledger")["instances"]
        return next(truth for truth in ledger if truth["id"] == instance_id)

    def listed(self, **query: Any) -> Any:
        return self.get("/gpu/instances", **query).json


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.store.close()
