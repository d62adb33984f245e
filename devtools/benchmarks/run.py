"""The order of a run: competitors in turn, round after round, then recovery, then the goals."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from devtools.benchmarks import machine
from devtools.benchmarks.competitors.base import Competitor
from devtools.benchmarks.competitors.celery import CELERY
from devtools.benchmarks.competitors.engine import ENGINE
from devtools.benchmarks.competitors.floor import FLOOR, FLOOR_OWN
from devtools.benchmarks.competitors.procrastinate import PROCRASTINATE
from devtools.benchmarks.competitors.stock import STOCK
from devtools.benchmarks.goals import load, safety
from devtools.benchmarks.measures.recovery import CASES, measure_recovery, prepare_recovery
from devtools.benchmarks.measures.speed import measure_round
from devtools.benchmarks.plan import Plan
from devtools.benchmarks.remote import BenchError, answer_of
from devtools.benchmarks.results import Results
from devtools.benchmarks.setup import Setup, prepare

# The engine and the floor run one after the other: the promise is about their ratio.
COMPETITORS: Sequence[Competitor] = (ENGINE, FLOOR, FLOOR_OWN, STOCK, PROCRASTINATE, CELERY)
COMPARE, RECOVERY, GOALS = "compare", "recovery", "engine"
PARTS = (COMPARE, RECOVERY, GOALS)

Say = Callable[[str], None]


def run(setup: Setup, plan: Plan, parts: Sequence[str], say: Say) -> Results:
    """Measure everything; a failure is recorded and the rest goes on."""
    results = Results(about=_about(setup, plan))
    ready = _prepare(setup, results, say)
    if COMPARE in parts:
        _compare(setup, plan, ready, results, say)
    if RECOVERY in parts:
        _recover(setup, plan, results, say)
    if GOALS in parts and ENGINE in ready:
        _goals(setup, plan, results, say)
    return results


def _about(setup: Setup, plan: Plan) -> dict[str, Any]:
    redis = {"redis-server": setup.redis.version} if setup.redis else {}
    return {
        "date": machine.today(),
        "machine": machine.describe(),
        "load_before": machine.load_average(),
        "versions": {**machine.versions(), **redis},
        "postgres": setup.postgres.settings(),
        "plan": asdict(plan),
    }


def _prepare(setup: Setup, results: Results, say: Say) -> list[Competitor]:
    ready = []
    for competitor in COMPETITORS:
        results.contenders[competitor.name] = {
            "title": competitor.title,
            "settings": list(competitor.settings),
            "drains": dict(competitor.drains),
        }
        trouble = setup.missing(competitor) or _trouble_of(setup, competitor)
        if trouble:
            results.troubles[competitor.name] = trouble
            say(f"{competitor.title}: could not run: {trouble}")
        else:
            ready.append(competitor)
    return ready


def _trouble_of(setup: Setup, competitor: Competitor) -> str | None:
    try:
        prepare(setup, competitor)
    except BenchError as error:
        return str(error)
    return None


def _compare(
    setup: Setup, plan: Plan, ready: Sequence[Competitor], results: Results, say: Say
) -> None:
    for number in range(1, plan.rounds + 1):
        for competitor in ready:
            say(f"round {number} of {plan.rounds}: {competitor.title}")
            try:
                with setup.troupe(competitor) as troupe:
                    found = measure_round(setup, troupe, plan)
            except BenchError as error:
                results.troubles[f"{competitor.name}, round {number}"] = str(error)
                say(f"  failed: {error}")
            else:
                results.rounds.setdefault(competitor.name, []).append(asdict(found))


def _recover(setup: Setup, plan: Plan, results: Results, say: Say) -> None:
    results.recovery_cases = {
        case.name: {"title": case.title, "note": case.note, "contender": case.competitor.name}
        for case in CASES
    }
    try:
        prepare_recovery(setup)
    except BenchError as error:
        results.troubles["recovery"] = str(error)
        return
    for number in range(1, plan.recovery_rounds + 1):
        say(f"kill -9 and restart, all at once, round {number} of {plan.recovery_rounds}")
        try:
            for name, found in measure_recovery(setup, plan).items():
                results.recovery.setdefault(name, []).append(found)
        except BenchError as error:
            results.troubles[f"recovery, round {number}"] = str(error)
            say(f"  failed: {error}")


def _goals(setup: Setup, plan: Plan, results: Results, say: Say) -> None:
    questions: dict[str, tuple[str, Callable[[], Any]]] = {
        "claims": ("claims in a big table", lambda: _claims(setup, plan)),
        "flood": ("a flood of hanging items", lambda: load.pickup_beside_a_flood(setup, plan)),
        "healthy": ("hanging items among healthy", lambda: load.healthy_rates(setup, plan)),
        "once": ("several clusters, each job once", lambda: safety.run_exactly_once(setup, plan)),
        "stale": ("frozen past the lease", lambda: safety.write_stale(setup)),
        "killed": ("each process killed", lambda: safety.kill_one_by_one(setup)),
    }
    for name, (title, question) in questions.items():
        say(f"this engine: {title}")
        try:
            results.targets[name] = question()
        except BenchError as error:
            results.troubles[title] = str(error)
            say(f"  failed: {error}")


def _claims(setup: Setup, plan: Plan) -> Any:
    with setup.troupe(ENGINE) as troupe:
        env = troupe.env
    log = setup.folder / "claims.log"
    return answer_of("devtools.benchmarks.goals.claims", asdict(plan), env, log)
