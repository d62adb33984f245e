"""Actions of users, and of Novita, in a run: a script from the seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from accounts.models import Project
from devtools.faults.simulated.receiver import URL
from devtools.faults.simulated.service import Service
from devtools.simulator.errors import ApiError, ControlError
from devtools.simulator.world.scheduled_events import force
from instances import services
from instances.domain.enums import BillingMode, OnStartFailure
from instances.domain.errors import InstanceError
from instances.domain.types import Cause, InstanceRequest
from jobs.failpoints import CrashedHereError

# Images whose behaviour is fixed, for the templates that use them.
IMAGES: Mapping[str, Mapping[str, object]] = {
    "pytorch": {"fail_in": "pulling"},
    "comfyui": {"stuck_in": "pulling"},
    "diffusion": {"start_seconds": 100},
    "tensorflow": {"stuck_in": "creating"},
}
SPECS: Mapping[str, Mapping[str, object]] = {
    "ordinary": {},
    "on demand": {"billing_mode": BillingMode.ON_DEMAND},
    "other region": {"region": "EU-WEST-01"},
    "untold": {"webhook_url": ""},
    "short-lived": {"max_runtime_minutes": 1},
    "capped": {"max_price_per_hour_e5_usd": 60_000},
    "capped too low": {"max_price_per_hour_e5_usd": 1},
    "slow": {"template_id": "107672"},
    "failing": {"template_id": "107"},
    "failing, kept": {"template_id": "107", "on_start_failure": OnStartFailure.KEEP},
    "stuck": {"template_id": "5561"},
    "stuck early": {"template_id": "tf-training-template-1"},
    "unknown product": {"product_name": "No Such GPU"},
    "unknown template": {"template_id": "999"},
}
EVENTS: tuple[Mapping[str, object], ...] = (
    {"order": "spot_reclaim"},
    {"order": "spot_notice", "force": True, "notice_seconds": 60},
    {"order": "stop"},
    {"order": "freeze"},
    {"order": "vanish"},
    {"order": "fail", "message": "node lost"},
    {"order": "stick", "status": "stopping"},
)
# More at once would be Novita's mistake, which an operator must judge (the mass guard).
MOST_VANISHED = 2


@dataclass(slots=True)
class Users:
    """Callers of the services, whose process may die during a call."""

    service: Service
    project: Project
    random: Random
    asked_for: list[str] = field(default_factory=list)
    vanished: int = 0

    def verbs(self) -> Mapping[str, Callable[[str], object]]:
        """The actions on an instance, by name."""
        cause = Cause("key:simulated")
        return {
            "start": lambda name: services.start_instance(public_id=name, cause=cause),
            "stop": lambda name: services.stop_instance(public_id=name, cause=cause),
            "restart": lambda name: services.restart_instance(public_id=name, cause=cause),
            "terminate": lambda name: services.terminate_instance(public_id=name, cause=cause),
        }

    def create(self, kind: str) -> None:
        number = len(self.asked_for) + 1
        spec: dict[str, Any] = {
            "name": f"no-{number}",
            "product_name": "RTX 4090 24GB",
            "template_id": "212",
            "region": "US-WEST-01",
            "webhook_url": URL,
            **SPECS[kind],
        }
        self.asked_for.append(kind)

        def ask() -> str:
            made = services.create_instance(
                project=self.project, spec=InstanceRequest(**spec), cause=Cause("key:simulated")
            )
            return made.instance.public_id

        if made := self._asked(f"create {kind}", ask):
            self.service.accepted.append(made)

    def act(self, verb: str) -> None:
        """Act on one of the accepted instances, in any state."""
        if self.service.accepted:
            name = self.random.choice(self.service.accepted)
            if verb == "terminate":
                self.service.asked.setdefault(name, self.service.clock.now_ms)
            self._asked(f"{verb} {name}", lambda: self.verbs()[verb](name))

    def _asked(self, what: str, ask: Callable[[], Any]) -> Any:
        try:
            answer = ask()
        except CrashedHereError:
            self.service.tell(f"user: {what}: no answer")
            return None
        except InstanceError as error:
            self.service.tell(f"user: {what}: refused, {error}")
            return None
        self.service.tell(f"user: {what}: accepted")
        return answer

    def trigger(self, event: Mapping[str, object]) -> None:
        """Novita does something to an instance by itself."""
        self.vanished += event["order"] == "vanish"
        if event["order"] == "vanish" and self.vanished > MOST_VANISHED:
            return
        world = self.service.world
        with world.session() as now_ms:
            alive = [each for each in world.instances.values() if each.phase(now_ms).held]
            if not alive:
                return
            chosen = self.random.choice(sorted(alive, key=lambda each: each.id))
            self.service.tell(f"Novita: {event['order']} {chosen.id} ({chosen.status(now_ms)})")
            try:
                force(world, chosen, now_ms, dict(event))
            except (ApiError, ControlError) as error:
                self.service.tell(f"Novita: {error}")

    def change_world(self, **settings: object) -> None:
        self.service.tell(f"Novita: {settings}")
        with self.service.world.session():
            self.service.world.change_settings(settings)


def write_script(users: Users, ends_seconds: float) -> None:
    """One to five creates, some actions, some events at Novita, in any order."""
    service, random = users.service, users.random
    kinds = random.choices(list(SPECS), weights=[8, 2, 1, 2] + [1] * (len(SPECS) - 4), k=5)
    for kind in kinds[: random.choice((1, 1, 2, 3, 5))]:
        service.at(random.uniform(0, 60), partial(users.create, kind))
    for _ in range(random.choice((0, 0, 1, 2, 4))):
        verb = random.choice(list(users.verbs()))
        service.at(random.uniform(5, ends_seconds), partial(users.act, verb))
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        event = random.choice(EVENTS)
        service.at(random.uniform(20, ends_seconds), partial(users.trigger, event))
    if random.random() < 0.2:
        begins = random.uniform(0, ends_seconds)
        service.at(begins, lambda: users.change_world(delete_ignored=True))
