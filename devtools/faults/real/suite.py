"""All scenarios, in the order of the page."""

from devtools.faults.real.scenario import Scenario
from devtools.faults.real.scenarios import (
    creating,
    database,
    dying,
    ending,
    incidents,
    nonsense,
    outages,
    predecessor,
    receivers,
    repeating,
    running,
    unusable,
)


def _number(scenario: Scenario) -> tuple[bool, int]:
    return scenario.fault.startswith("P"), int(scenario.fault[1:])


SCENARIOS: tuple[Scenario, ...] = tuple(
    sorted(
        (
            *creating.SCENARIOS,
            *dying.SCENARIOS,
            *database.SCENARIOS,
            *outages.SCENARIOS,
            *ending.SCENARIOS,
            *running.SCENARIOS,
            *repeating.SCENARIOS,
            *predecessor.SCENARIOS,
            *incidents.SCENARIOS,
            *unusable.SCENARIOS,
            *nonsense.SCENARIOS,
            *receivers.SCENARIOS,
        ),
        key=_number,
    )
)
