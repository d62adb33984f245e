"""A typed client of the control calls, for tests and benchmarks; standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

Json = dict[str, Any]
TIMEOUT_SECONDS = 30


class ControlCallError(Exception):
    """The simulator refused a control call; contains its message."""


@dataclass(frozen=True)
class InstanceTruth:
    """The true history of an instance; simulated ms, cost in 1/100,000 USD."""

    id: str
    name: str
    origin: str
    product_id: str
    cluster_id: str
    gpu_num: int
    billing_mode: str
    price_e5_usd: int
    status: str
    is_alive: bool
    created_ms: int
    first_running_ms: int | None
    removed_ms: int | None
    billed_seconds: int
    cost_e5_usd: int
    raw: Json

    @classmethod
    def parse(cls, body: Json) -> InstanceTruth:
        return cls(
            id=body["id"],
            name=body["name"],
            origin=body["origin"],
            product_id=body["productId"],
            cluster_id=body["clusterId"],
            gpu_num=body["gpuNum"],
            billing_mode=body["billingMode"],
            price_e5_usd=body["priceE5Usd"],
            status=body["status"],
            is_alive=body["isAlive"],
            created_ms=body["createdMs"],
            first_running_ms=body["firstRunningMs"],
            removed_ms=body["removedMs"],
            billed_seconds=body["billedSeconds"],
            cost_e5_usd=body["costE5Usd"],
            raw=body,
        )


@dataclass(frozen=True)
class Ledger:
    """Every instance ever made, oldest first, and every POST with its outcome."""

    instances: list[InstanceTruth]
    calls: list[Json]
    balance_e5_usd: int
    sim_ms: int

    def alive(self, origin: str = "api") -> list[InstanceTruth]:
        return [truth for truth in self.instances if truth.is_alive and truth.origin == origin]

    def named(self, name: str) -> list[InstanceTruth]:
        return [truth for truth in self.instances if truth.name == name]


class _Client:
    def __init__(self, base_url: str) -> None:
        """`base_url` may be any URL of the server; only its scheme and host are used."""
        parts = urlsplit(base_url)
        self.root = f"{parts.scheme}://{parts.netloc}"

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """Raises ControlCallError if the call is refused, URLError if the server is unreachable."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
                answer: Json = json.loads(response.read())
                return answer
        except urllib.error.HTTPError as error:
            with error:
                raise ControlCallError(error.read().decode(errors="replace")) from error


class SimulatorControl(_Client):
    """Control calls to a running simulator; their fields are in docs/simulator.md."""

    def ledger(self) -> Ledger:
        body = self.call("GET", "/_sim/ledger")
        truths = [InstanceTruth.parse(item) for item in body["instances"]]
        return Ledger(truths, body["calls"], body["balanceE5Usd"], body["simMs"])

    def calls(self, path: str = "") -> Json:
        return self.call("GET", f"/_sim/calls?path={quote(path)}")

    def reset_calls(self) -> None:
        self.call("DELETE", "/_sim/calls")

    def add_fault(self, effect: str = "delay", **fields: Any) -> Json:
        return self.call("POST", "/_sim/faults", {"effect": effect, **fields})

    def edge(self, preset: str, **fields: Any) -> Json:
        """Let a gateway, proxy or login page answer instead of the service, by preset name."""
        return self.call("POST", "/_sim/faults", {"preset": preset, **fields})

    def faults(self) -> list[Json]:
        faults: list[Json] = self.call("GET", "/_sim/faults")["faults"]
        return faults

    def clear_faults(self, fault_id: str = "") -> None:
        self.call("DELETE", f"/_sim/faults?id={quote(fault_id)}")

    def order(self, instance_id: str, order: str, **fields: Any) -> InstanceTruth:
        """Change an instance: `stick`, `fail`, `trouble`, `run`, `vanish`, `stop`, `freeze`,
        `spot_notice`, `spot_withdraw`, `spot_reclaim`, `move`, `fail_move` (docs/simulator.md).
        """
        body = {"order": order, **fields}
        return InstanceTruth.parse(self.call("POST", f"/_sim/instances/{instance_id}", body))

    def make_instance(self, name: str, **fields: Any) -> InstanceTruth:
        """A foreign instance, made without faults, key and limits; fields as in create."""
        return InstanceTruth.parse(self.call("POST", "/_sim/instances", {"name": name, **fields}))

    def make_template(self, template_id: str, **fields: Any) -> Json:
        """A template with any fields, e.g. `rootfsSize`, `volumes`, `imageAuth`, unchecked."""
        return self.call("POST", "/_sim/templates", {"Id": template_id, **fields})

    def set_stock(self, **rule: Any) -> None:
        """Override stock or price, e.g. `product_id=..., cluster_id=..., free=0`."""
        self.call("POST", "/_sim/stock", rule)

    def clear_stock(self) -> None:
        self.call("DELETE", "/_sim/stock")

    def blind(self, **blindness: Any) -> Json:
        """Hide existing instances: `list`, `ids`, `direct`, `actions`, `for_seconds`."""
        return self.call("POST", "/_sim/blindness", blindness)

    def blindness(self) -> Json:
        return self.call("GET", "/_sim/blindness")

    def end_blindness(self) -> None:
        self.call("DELETE", "/_sim/blindness")

    def refuse_key(self, **answer: Any) -> None:
        """Refuse the right key as well; fields `status`, `reason`, `message`."""
        self.settings(refused_key=answer)

    def accept_key(self) -> None:
        self.settings(refused_key=None)

    def refuse_account(self, **answer: Any) -> None:
        """Refuse purchases because of the account; fields `status`, `reason`, `message`."""
        self.settings(account_refusal=answer)

    def accept_account(self) -> None:
        self.settings(account_refusal=None)

    def settings(self, **changes: Any) -> Json:
        """Change settings, if any are given; returns all of them."""
        if not changes:
            return self.call("GET", "/_sim/settings")
        return self.call("POST", "/_sim/settings", changes)

    def now_ms(self) -> int:
        sim_ms: int = self.call("GET", "/_sim/clock")["simMs"]
        return sim_ms

    def advance(self, seconds: float) -> int:
        """Move the simulated clock ahead; returns its new time in ms."""
        sim_ms: int = self.call("POST", "/_sim/clock", {"advance_seconds": seconds})["simMs"]
        return sim_ms

    def set_scale(self, scale: float) -> None:
        self.call("POST", "/_sim/clock", {"scale": scale})


class ReceiverControl(_Client):
    """Control calls to a running receiver."""

    def url(self, path: str) -> str:
        return self.root + path

    def behave(self, path: str = "*", **fields: Any) -> None:
        self.call("POST", "/_receiver/behaviour", {"path": path, **fields})

    def deliveries(self, path: str | None = None) -> list[Json]:
        query = "" if path is None else f"?path={quote(path)}"
        found: list[Json] = self.call("GET", f"/_receiver/deliveries{query}")["deliveries"]
        return found

    def reset(self) -> None:
        self.call("DELETE", "/_receiver/")

    def forget_deliveries(self) -> None:
        self.call("DELETE", "/_receiver/deliveries")

    def forget_behaviours(self) -> None:
        self.call("DELETE", "/_receiver/behaviour")
