"""The order of a run: contenders in turn, round after round, then recovery, then the targets."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from devtools.benchmarks import machine
from devtools.benchmarks.contenders.base import Contender
from devtools.benchmarks.contenders.celery import CELERY
from devtools.benchmarks.contenders.engine import ENGINE
from devtools.benchmarks.contenders.floor import FLOOR, FLOOR_OWN
from devtools.benchmarks.contenders.procrastinate import PROCRASTINATE
from devtools.benchmarks.contenders.stock import STOCK
from devtools.benchmarks.measures.recovery import CASES, measure_recovery, prepare_recovery
from devtools.benchmarks.measures.speed import measure_round
from devtools.benchmarks.plan import Plan
from devtools.benchmarks.remote import BenchError, answer_of
from devtools.benchmarks.results import Results
from devtools.benchmarks.stage import Stage, prepare
from devtools.benchmarks.targets import load, safety

# The engine and the floor run one after the other: the promise is about their ratio.
CONTENDERS: Sequence[Contender] = (ENGINE, FLOOR, FLOOR_OWN, STOCK, PROCRASTINATE, CELERY)
COMPARE, RECOVERY, TARGETS = "compare", "recovery", "engine"
PARTS = (COMPARE, RECOVERY, TARGETS)

Say = Callable[[str], None]


def run(stage: Stage, plan: Plan, parts: Sequence[str], say: Say) -> Results:
    """Measure everything; a failure is recorded and the rest goes on."""
    results = Results(about=_about(stage, plan))
    ready = _prepare(stage, results, say)
    if COMPARE in parts:
        _compare(stage, plan, ready, results, say)
    if RECOVERY in parts:
        _recover(stage, plan, results, say)
    if TARGETS in parts and ENGINE in ready:
        _targets(stage, plan, results, say)
    return results


def _about(stage: Stage, plan: Plan) -> dict[str, Any]:
    redis = {"redis-server": stage.redis.version} if stage.redis else {}
    return {
        "date": machine.today(),
        "machine": machine.describe(),
        "load_before": machine.load_average(),
        "versions": {**machine.versions(), **redis},
        "postgres": stage.postgres.settings(),
        "plan": asdict(plan),
    }


def _prepare(stage: Stage, results: Results, say: Say) -> list[Contender]:
    ready = []
    for contender in CONTENDERS:
        results.contenders[contender.name] = {
            "title": contender.title,
            "settings": list(contender.settings),
            "drains": dict(contender.drains),
        }
        trouble = stage.missing(contender) or _trouble_of(stage, contender)
        if trouble:
            results.troubles[contender.name] = trouble
            say(f"{contender.title}: could not run: {trouble}")
        else:
            ready.append(contender)
    return ready


def _trouble_of(stage: Stage, contender: Contender) -> str | None:
    try:
        prepare(stage, contender)
    except BenchError as error:
        return str(error)
    return None


def _compare(
    stage: Stage, plan: Plan, ready: Sequence[Contender], results: Results, say: Say
) -> None:
    for number in range(1, plan.rounds + 1):
        for contender in ready:
            say(f"round {number} of {plan.rounds}: {contender.title}")
            try:
                with stage.troupe(contender) as troupe:
                    found = measure_round(stage, troupe, plan)
            except BenchError as error:
                results.troubles[f"{contender.name}, round {number}"] = str(error)
                say(f"  failed: {error}")
            else:
                results.rounds.setdefault(contender.name, []).append(asdict(found))


def _recover(stage: Stage, plan: Plan, results: Results, say: Say) -> None:
    results.recovery_cases = {
        case.name: {"title": case.title, "note": case.note, "contender": case.contender.name}
        for case in CASES
    }
    try:
        prepare_recovery(stage)
    except BenchError as error:
        results.troubles["recovery"] = str(error)
        return
    for number in range(1, plan.recovery_rounds + 1):
        say(f"kill -9 and restart, all at once, round {number} of {plan.recovery_rounds}")
        try:
            for name, found in measure_recovery(stage, plan).items():
                results.recovery.setdefault(name, []).append(found)
        except BenchError as error:
            results.troubles[f"recovery, round {number}"] = str(error)
            say(f"  failed: {error}")


def _targets(stage: Stage, plan: Plan, results: Results, say: Say) -> None:
    questions: dict[str, tuple[str, Callable[[], Any]]] = {
        "claims": ("claims in a big table", lambda: _claims(stage, plan)),
        "flood": ("a flood of hanging items", lambda: load.pickup_beside_a_flood(stage, plan)),
        "healthy": ("hanging items among healthy", lambda: load.healthy_rates(stage, plan)),
        "once": ("several clusters, each job once", lambda: safety.run_exactly_once(stage, plan)),
        "stale": ("frozen past the lease", lambda: safety.write_stale(stage)),
        "killed": ("each process killed", lambda: safety.kill_one_by_one(stage)),
    }
    for name, (title, question) in questions.items():
        say(f"this engine: {title}")
        try:
            results.targets[name] = question()
        except BenchError as error:
            results.troubles[title] = str(error)
            say(f"  failed: {error}")


def _claims(stage: Stage, plan: Plan) -> Any:
    with stage.troupe(ENGINE) as troupe:
        env = troupe.env
    log = stage.folder / "claims.log"
    return answer_of("devtools.benchmarks.targets.claims", asdict(plan), env, log)
