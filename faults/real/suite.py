"""All scenarios, in the order of the page."""

from faults.real.scenario import Scenario
from faults.real.scenarios import creating, dying

SCENARIOS: tuple[Scenario, ...] = (*creating.SCENARIOS, *dying.SCENARIOS)
