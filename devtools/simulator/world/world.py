"""The world: instances, catalogue, stock and money under one lock, written to the store at once.

Statuses are pure functions of timelines. Only the totals (stock held, money spent) must be updated:
`replay_due` applies the due phase changes in their order before anything is read or changed.
"""

from __future__ import annotations

import heapq
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from devtools.simulator.clock import SimulatedClock
from devtools.simulator.http import Json
from devtools.simulator.store import Store
from devtools.simulator.world.balance import Balance
from devtools.simulator.world.blindness import Blindness
from devtools.simulator.world.catalogue import CLUSTERS, PRODUCTS, Cluster, drifted_e5
from devtools.simulator.world.defaults import initial_things
from devtools.simulator.world.records import Instance, Product
from devtools.simulator.world.settings import Settings
from devtools.simulator.world.stock import Stock, StockRule
from devtools.simulator.world.timeline import (
    GONE,
    HOLDING,
    REMOVAL,
    Phase,
    cut,
    next_change_ms,
    phase_at,
)


class World:
    """All state. Methods assume that the caller holds `session()`."""

    def __init__(self, store: Store, clock: SimulatedClock, seed: int = 0) -> None:
        self.store = store
        self.clock = clock
        self.products = PRODUCTS
        self.clusters: dict[str, Cluster] = CLUSTERS
        # host:port of this process, if the endpoints of instances are to lead to it.
        self.own_address = ""
        self._lock = threading.RLock()
        self._due: list[tuple[int, str]] = []
        self._applied: dict[str, Phase] = {}
        self.instances: dict[str, Instance] = {}
        self.gone: dict[str, Instance] = {}
        self.things: dict[str, dict[str, Json]] = {}
        self.settings = Settings()
        self.blindness = Blindness()
        self._load_facts(seed)
        self._load_records()

    # Upkeep

    @contextmanager
    def session(self) -> Iterator[int]:
        """Exclusive use of an up-to-date world in one transaction; yields the simulated now."""
        with self._lock, self.store.transaction():
            yield self.replay_due()

    def close(self) -> None:
        """Close the store and keep the lock: a thread that still serves must not write any more."""
        self._lock.acquire()
        self.store.close()

    def replay_due(self) -> int:
        """Apply all due phase changes; returns now in simulated milliseconds."""
        now_ms = self.clock.now_ms()
        while self._replay_step(now_ms):
            pass
        self.balance.accrue(now_ms)
        return now_ms

    def _replay_step(self, now_ms: int) -> bool:
        change_ms = self._due[0][0] if self._due else now_ms + 1
        freeze_ms = self._freeze_ms()
        if freeze_ms is not None and freeze_ms <= min(change_ms, now_ms) and self._any_to_freeze():
            self._freeze_all(freeze_ms)
            return True
        if change_ms > now_ms:
            return False
        at_ms, instance_id = heapq.heappop(self._due)
        if instance_id in self.instances:
            self._apply(self.instances[instance_id], at_ms)
        return True

    def _apply(self, instance: Instance, at_ms: int) -> None:
        """Update the totals to the phase that holds from this time on."""
        phase, old = instance.phase(at_ms), self._applied.get(instance.id)
        self.balance.accrue(at_ms)
        self.balance.rate_e5_day += phase.rate_e5_day - (old.rate_e5_day if old else 0)
        held = phase.held - (old.held if old else 0)
        self.stock.hold(instance.product_id, instance.cluster_id, held)
        if phase.status == GONE:
            self._applied.pop(instance.id, None)
            self.gone[instance.id] = self.instances.pop(instance.id)
            return
        self._applied[instance.id] = phase
        following_ms = next_change_ms(instance.timeline, at_ms)
        if following_ms is not None:
            heapq.heappush(self._due, (following_ms, instance.id))

    def _freeze_ms(self) -> int | None:
        """Time at which unpaid instances are frozen, by the present rate.

        Never before the time that is settled already: if an order starts an instance again during
        arrears, it is frozen now, and its past does not change.
        """
        run_out_ms = self.balance.run_out_ms()
        if run_out_ms is None:
            return None
        due_ms = run_out_ms + round(self.settings.arrears_freeze_seconds * 1000)
        return max(due_ms, self.balance.accrued_until_ms)

    def _any_to_freeze(self) -> bool:
        return any(can_freeze(phase) for phase in self._applied.values())

    def _freeze_all(self, at_ms: int) -> None:
        for instance in list(self.instances.values()):
            if can_freeze(instance.phase(at_ms)):
                self.replan(instance, at_ms, [(0, "freezing"), (1000, "exited")])

    # Instances

    def add(self, instance: Instance) -> None:
        """Add a new instance; it counts once `replan` has given it a timeline."""
        self.instances[instance.id] = instance
        for _, amount_e5 in instance.charges:
            self.balance.charge(amount_e5)

    def changed(self, instance: Instance, now_ms: int) -> None:
        """Save a changed instance and update the totals."""
        self.store.put_instance(instance.id, vars(instance))
        if instance.id in self.instances:
            self._apply(instance, now_ms)

    def replan(self, instance: Instance, now_ms: int, steps: list[tuple[int, str]]) -> None:
        """Replace the instance's future by (delay in ms from now, status) steps.

        The status of a step decides whether it holds GPUs; removal only keeps held ones.
        """
        past = cut(instance.timeline, now_ms)
        held = phase_at(past, now_ms).held if past else 0
        future = []
        for delay_ms, status in steps:
            held = holding(instance, status, held)
            future.append(Phase(now_ms + delay_ms, status, instance.rate_e5_day(status), held))
        instance.timeline = past + future
        self.changed(instance, now_ms)

    def reprice(self, instance: Instance, now_ms: int) -> None:
        """After a change of size or billing mode: new rates from now on, the past is kept."""
        past, future = cut(instance.timeline, now_ms), instance.timeline[:]
        del future[: len(past)]
        ahead = [past[-1]._replace(at_ms=now_ms), *future]
        instance.timeline = past + [
            phase._replace(rate_e5_day=instance.rate_e5_day(phase.status)) for phase in ahead
        ]
        self.changed(instance, now_ms)

    def relocate(self, instance: Instance, cluster_id: str) -> None:
        """Move it to another cluster, with the stock that it holds now."""
        applied = self._applied.get(instance.id)
        held = applied.held if applied else 0
        self.stock.hold(instance.product_id, instance.cluster_id, -held)
        instance.cluster_id = cluster_id
        self.stock.hold(instance.product_id, cluster_id, held)

    def gpus_held(self) -> int:
        return sum(phase.held for phase in self._applied.values())

    def new_id(self) -> str:
        return secrets.token_hex(8)

    # Catalogue

    def price_e5(self, product: Product, mode: str, *, buying: bool = False) -> int:
        """The price of a GPU-hour now, drift and overrides included."""
        ruled = self.stock.price_override(product.id, mode, buying=buying)
        if ruled is not None:
            return ruled
        elapsed_ms = self.clock.now_ms() - self.origin_ms
        key = f"{self.seed}/{product.id}"
        percent = self.settings.price_drift_percent
        return drifted_e5(product.price_for(mode), key, elapsed_ms, percent)

    # Stored facts

    def put_thing(self, kind: str, thing_id: str, body: Json) -> None:
        self.things.setdefault(kind, {})[thing_id] = body
        self.store.put_thing(kind, thing_id, body)

    def drop_thing(self, kind: str, thing_id: str) -> None:
        del self.things[kind][thing_id]
        self.store.drop_thing(kind, thing_id)

    def change_settings(self, changes: dict[str, Any]) -> None:
        self.settings.update(changes)
        self.balance.set_deposit(self.settings.deposit_e5_usd)
        self.store.put_fact("settings", self.settings.as_json())

    def set_blindness(self, blindness: Blindness) -> None:
        self.blindness = blindness
        self.store.put_fact("blindness", blindness.as_json())

    def save_clock(self) -> None:
        self.store.put_fact("clock", [self.clock.anchor, self.clock.scale])

    def save_stock_rules(self) -> None:
        self.store.put_fact("stock", [rule.as_json() for rule in self.stock.rules])

    def _load_facts(self, seed: int) -> None:
        with self.store.transaction():
            if self.store.fact("origin") is None:
                self.store.put_fact("origin", [seed, self.clock.now_ms()])
                for kind, thing_id, body in initial_things(self.clock.now_ms()):
                    self.store.put_thing(kind, thing_id, body)
                self.save_clock()
        self.seed, self.origin_ms = self.store.fact("origin")
        stored = self.store.fact("settings") or {}
        known = self.settings.as_json()
        self.settings.update({name: stored[name] for name in stored.keys() & known.keys()})
        self.blindness = Blindness(**(self.store.fact("blindness") or {}))
        self.stock = Stock([StockRule(**rule) for rule in self.store.fact("stock") or []])

    def _load_records(self) -> None:
        now_ms = self.clock.now_ms()
        self.balance = Balance(self.settings.deposit_e5_usd, now_ms)
        for kind, thing_id, body in self.store.things():
            self.things.setdefault(kind, {})[thing_id] = body
        for record in self.store.instances():
            instance = Instance.load(record)
            self.balance.spent_scaled += instance.cost_scaled(0, now_ms)
            self.instances[instance.id] = instance
            self._apply(instance, now_ms)
        self.balance.set_deposit(self.settings.deposit_e5_usd)


def can_freeze(phase: Phase) -> bool:
    """It holds GPUs, and is not being removed: arrears do not undo a delete."""
    return bool(phase.held) and phase.status not in REMOVAL


def holding(instance: Instance, status: str, held_before: int) -> int:
    """The units of stock that a status holds."""
    if status not in HOLDING:
        return 0
    return held_before if status in REMOVAL else instance.units()
