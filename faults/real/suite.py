"""All scenarios, in the order of the page."""

from faults.real.scenario import Scenario
from faults.real.scenarios import creating

SCENARIOS: tuple[Scenario, ...] = (*creating.SCENARIOS,)
