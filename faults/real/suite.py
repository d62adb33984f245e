"""All scenarios, in the order of the page."""

from faults.real.scenario import Scenario
from faults.real.scenarios import creating, database, dying, ending

SCENARIOS: tuple[Scenario, ...] = (
    *creating.SCENARIOS,
    *dying.SCENARIOS,
    *database.SCENARIOS,
    *ending.SCENARIOS,
)
