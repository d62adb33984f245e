"""Any order of requests, faults, deaths and acts of Novita, chosen by Hypothesis."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from devtools.faults.invariants import check_all, check_events
from devtools.faults.simulated.deaths import POINTS
from devtools.faults.simulated.network_conditions import KINDS, NetworkConditions
from devtools.faults.simulated.service import Service
from devtools.faults.simulated.setup import opened
from devtools.faults.simulated.users import EVENTS, SPECS, Users

VERBS = ("start", "stop", "restart", "terminate")
FATES = ("die", "freeze", "trouble")


class Lifecycle(RuleBasedStateMachine):
    """A service of two workers, its users and its Novita; mended and checked in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.running = ExitStack()
        self.service = Service(7, worker_count=2)
        project = self.running.enter_context(opened(self.service, novita_rate_limit=6000))
        self.users = Users(self.service, project, self.service.stream("users"))

    @rule(kind=st.sampled_from(sorted(SPECS)))
    def create(self, kind: str) -> None:
        self.users.create(kind)
        self.service.run_for(1)

    @rule(verb=st.sampled_from(VERBS))
    def act(self, verb: str) -> None:
        self.users.act(verb)
        self.service.run_for(1)

    @rule(event=st.sampled_from(EVENTS))
    def novita_acts(self, event: dict[str, object]) -> None:
        self.users.trigger(event)

    @rule(kinds=st.sets(st.sampled_from(KINDS), min_size=1, max_size=3))
    def storm(self, kinds: set[str]) -> None:
        chance = self.service.stream("storm")
        self.service.network.conditions = NetworkConditions(chance, 0.2, 0.5, tuple(sorted(kinds)))

    @rule()
    def calm(self) -> None:
        self.service.network.conditions = NetworkConditions(self.service.stream("calm"))

    @rule(point=st.sampled_from(POINTS), after=st.integers(1, 5), fate=st.sampled_from(FATES))
    def something_breaks(self, point: str, after: int, fate: str) -> None:
        deaths = self.service.deaths
        fate = fate if fate != "trouble" or point == "statement.before" else "die"
        deaths.plan[point, deaths.visits[point] + after] = fate

    @rule(seconds=st.sampled_from((5, 20, 60, 150)))
    def time_passes(self, seconds: int) -> None:
        self.service.run_for(seconds)

    @invariant()
    def history_has_no_gap(self) -> None:
        assert check_events(self.service.ledger()) == []

    def teardown(self) -> None:
        with self.running:
            self.service.heal()
            self.service.run_until_idle()
            broken = check_all(self.service.ledger(), self.service.truth())
            assert [*self.service.violations, *broken] == [], "\n".join(self.service.story)


MACHINE = settings(
    max_examples=5,
    stateful_step_count=12,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.usefixtures("virtual")
def test_every_life_ends_with_its_promises_kept() -> None:
    run_state_machine_as_test(Lifecycle, settings=MACHINE)
