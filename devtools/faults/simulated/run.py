"""One run from one seed."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

from devtools.faults.invariants import check_all
from devtools.faults.simulated.deaths import planned
from devtools.faults.simulated.incidents import end_incidents, hide_oldest, plan_incidents
from devtools.faults.simulated.network_conditions import storm
from devtools.faults.simulated.service import Service
from devtools.faults.simulated.setup import opened
from devtools.faults.simulated.users import IMAGES, Users, write_script
from devtools.simulator.world.stock import StockRule


@dataclass(frozen=True, slots=True)
class Report:
    """What happened, and the broken promises; ``story`` describes it line by line."""

    seed: int
    crashes: Counter[str]
    faults: Counter[str]
    visits: Counter[str]
    instances: int
    violations: list[str]
    story: list[str]
    virtual_seconds: float

    def __str__(self) -> str:
        lines = [*self.story, *(f"VIOLATION {text}" for text in self.violations)]
        return "\n".join([f"seed {self.seed}", *lines])


@dataclass(frozen=True, slots=True)
class Profile:
    """Fixed by the caller instead of the seed: these kinds of faults for the share ``harsh`` of the
    writes; a Novita that accepts deletes and ignores them until ``heal``; or one that hides the
    oldest GPU from second 30 on until then.
    """

    kinds: tuple[str, ...] = ()
    harsh: float = 0.0
    ignores_deletes: bool = False
    is_blind: bool = False


def run_seed(seed: int, profile: Profile | None = None) -> Report:
    """Run on a database prepared by ``database``, which is emptied first."""
    service = Service(seed, worker_count=Random(f"{seed}/workers").choice((1, 2, 2, 3)))
    shape = service.stream("shape")
    with opened(service, novita_rate_limit=shape.choice((60, 300, 6000))) as project:
        users = Users(service, project, service.stream("users"))
        ends = shape.choice((60.0, 120.0, 240.0))
        _shape_world(users, shape)
        write_script(users, ends)
        if profile is None:
            plan_incidents(users, service.stream("incidents"), ends)
        service.network.conditions = storm(
            service.stream("weather"), service.clock.now_ms, service.clock.at(ends)
        )
        if profile is not None:
            _impose(profile, service, users)
        service.receiver.share = shape.choice((0.0, 0.0, 0.2, 0.6))
        service.deaths.plan = planned(service.stream("deaths"))
        try:
            service.run_until(service.clock.at(ends))
            service.heal()
            end_incidents(users)
            service.run_until_idle()
        except Exception as error:  # noqa: BLE001 - a run that breaks off is a finding
            service.violations.append(f"the run raised an error: {type(error).__name__}: {error}")
            service.tell(traceback.format_exc())
        ledger, truth = service.ledger(), service.truth()
    return Report(
        seed,
        service.deaths.deaths,
        service.network.faults,
        service.deaths.visits,
        len(ledger.instances),
        [*service.violations, *check_all(ledger, truth)],
        service.story,
        service.clock.monotonic(),
    )


def _impose(profile: Profile, service: Service, users: Users) -> None:
    conditions = service.network.conditions
    conditions.kinds, conditions.harsh, conditions.share = profile.kinds, profile.harsh, 0.0
    conditions.outages.clear()
    if profile.ignores_deletes:
        users.change_world(delete_ignored=True)
    if profile.is_blind:
        service.at(30, lambda: hide_oldest(users))


def _shape_world(users: Users, random: Random) -> None:
    """Choose Novita's behaviour where its real behaviour is not known."""
    changes: dict[str, Any] = {
        "images": {name: dict(rule) for name, rule in IMAGES.items()},
        "start_seconds": random.choice((5, 20, 45)),
        "list_lag_seconds": random.choice((0, 0, 5, 30)),
        "not_found_status": random.choice((400, 404)),
        "total_as_string": random.random() < 0.5,
        "sparse_get": random.random() < 0.2,
        "default_page_size": random.choice((1, 3, 10)),
        "max_page_size": random.choice((0, 0, 2)),
        "page_overlap": random.choice((0, 0, 1)),
        "delete_reply": random.choice(("object", "fields", "empty")),
        "endpoint_lag_seconds": random.choice((0, 0, 20)),
        "action_400_yet_done": random.choice(
            ([], [], ["start"], ["stop", "restart"], ["delete"], ["start", "stop", "delete"])
        ),
    }
    users.change_world(**changes)
    if random.random() < 0.2:
        product = random.choice(("4090.16c62g.os", "4090.16c62g", "*"))
        rule = StockRule(product_id=product, free=0, hidden=True, times=random.choice((1, 3, None)))
        with users.service.world.session():
            users.service.world.stock.rules.append(rule)
