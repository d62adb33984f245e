"""Hanging items beside healthy ones: measures whether they delay others."""

from dataclasses import replace

from devtools.benchmarks import markers
from devtools.benchmarks.competitors.base import MARK, Competitor
from devtools.benchmarks.competitors.engine import ENGINE
from devtools.benchmarks.measures.speed import FIRST_PACED
from devtools.benchmarks.plan import Plan
from devtools.benchmarks.setup import Setup, Troupe

GOALS_ENGINE: Competitor = replace(ENGINE, client="devtools.benchmarks.goals.client:GoalsClient")
FLOOD, TALKER = "flood", "talker"
TALK_THREADS = 128
_OTHERS_PER_SECOND = 10.0
_HANG_EVERY_FLOOD, _HANG_EVERY_TALK = 10, 20
_DRAINED_SECONDS = 60.0


def pickup_beside_a_flood(setup: Setup, plan: Plan) -> list[float]:
    """Milliseconds from commit to start of another type's jobs, ten a second."""
    with setup.troupe(GOALS_ENGINE, "engine") as troupe:
        _start(troupe)
        troupe.driver.ask(
            "call",
            method="fill_calls",
            task=FLOOD,
            count=plan.flood_items,
            hang_every=_HANG_EVERY_FLOOD,
        )
        count = int(_OTHERS_PER_SECOND * plan.flood_seconds)
        committed = troupe.driver.ask(
            "pace", task=MARK, first=FIRST_PACED, count=count, per_second=_OTHERS_PER_SECOND
        )
        troupe.driver.ask("await_drained", task=MARK, seconds=_DRAINED_SECONDS)
        return [
            max(0.0, (each.at - committed[each.number - FIRST_PACED]) / 1e6)
            for each in markers.read_markers(troupe.markers)
            if each.number >= FIRST_PACED
        ]


def healthy_rates(setup: Setup, plan: Plan) -> dict[str, list[float]]:
    """Items a second with calls of 50 ms: alone, and with every twentieth hanging for 10 s.

    The promise holds as long as there are free slots, so there are more slots than two cores can
    use beside the hanging items.
    """
    found: dict[str, list[float]] = {"none": [], "some": []}
    threads = {"JOB_THREADS": str(TALK_THREADS)}
    with setup.troupe(GOALS_ENGINE, "engine", threads) as troupe:
        _start(troupe)
        _healthy_rate(troupe, plan, hang_every=0)
        for _ in range(plan.talk_rounds):
            found["none"].append(_healthy_rate(troupe, plan, hang_every=0))
            found["some"].append(_healthy_rate(troupe, plan, hang_every=_HANG_EVERY_TALK))
    return found


def _start(troupe: Troupe) -> None:
    troupe.driver.ask("clear")
    troupe.forget_markers()
    troupe.tree.start()
    troupe.warm_up({MARK: 20})


def _healthy_rate(troupe: Troupe, plan: Plan, *, hang_every: int) -> float:
    driver = troupe.driver
    driver.ask("clear")
    troupe.tree.freeze()
    driver.ask(
        "call", method="fill_calls", task=TALKER, count=plan.talk_items, hang_every=hang_every
    )
    begun = markers.now()
    troupe.tree.thaw()
    driver.ask("await_drained", task=TALKER, seconds=_DRAINED_SECONDS)
    through = [each.at for each in markers.read_markers(troupe.markers) if each.at > begun]
    return len(through) / ((max(through) - begun) / 1e9)
