"""kill -9 of all worker processes that run hanging jobs; the time until each job runs again.

All cases run at the same time: they mostly wait for a timeout of their own, independent of the
others. Each is killed when all its slots are taken.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from devtools.benchmarks import markers
from devtools.benchmarks.competitors.base import HANG, Competitor
from devtools.benchmarks.competitors.celery import CELERY
from devtools.benchmarks.competitors.engine import ENGINE
from devtools.benchmarks.competitors.procrastinate import PROCRASTINATE
from devtools.benchmarks.competitors.stock import STOCK
from devtools.benchmarks.plan import Plan
from devtools.benchmarks.setup import Setup, Troupe, prepare

_QUIET_SECONDS = 2.0
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Case:
    """A competitor with the settings that decide its recovery."""

    name: str
    title: str
    competitor: Competitor
    note: str
    env: Mapping[str, str] = field(default_factory=dict)


CASES = (
    Case("engine", "this engine", ENGINE, "lease of 15 s"),
    Case("stock", "django-q2, retry 60", STOCK, "retry 60 s is its default", {"BENCH_RETRY": "60"}),
    Case(
        "stock_tuned",
        "django-q2, retry 20",
        STOCK,
        "ends every task that takes longer than 15 s",
        {"BENCH_RETRY": "20"},
    ),
    Case(
        "procrastinate",
        "Procrastinate + recipe",
        PROCRASTINATE,
        "nothing by itself; with the documented retry task, every 5 s instead of every 10 min",
    ),
    Case(
        "celery",
        "Celery, visibility 20",
        CELERY,
        "visibility_timeout 20 s runs every longer task twice; its default is 1 h (not waited for)",
        {"BENCH_RETRY": "20"},
    ),
)


@dataclass
class Recovery:
    """Seconds from the kill. ``restarted``: of the jobs that were running; ``all_started``: until
    every job had started again, including jobs that were claimed but not started.
    """

    running: int = 0
    restarted: list[float] = field(default_factory=list)
    all_started: float | None = None
    never: int = 0


@dataclass
class _Victim:
    case: Case
    troupe: Troupe
    running: frozenset[int] = frozenset()
    killed_at: int = 0
    started: Mapping[int, float] = field(default_factory=dict)


def prepare_recovery(setup: Setup) -> None:
    """Create the schemas; once. Raises BenchError."""
    for case in _runnable(setup):
        prepare(setup, case.competitor, _place(case))


def measure_recovery(setup: Setup, plan: Plan) -> dict[str, dict[str, Any]]:
    """One round of all cases that can run here, by name."""
    with contextlib.ExitStack() as stack:
        victims = [
            _Victim(
                case, stack.enter_context(setup.troupe(case.competitor, _place(case), case.env))
            )
            for case in _runnable(setup)
        ]
        for victim in victims:
            _begin(victim, plan)
        _kill_when_busy(victims)
        _watch(victims, plan)
        return {each.case.name: asdict(_recovery(each, plan)) for each in victims}


def _runnable(setup: Setup) -> list[Case]:
    return [case for case in CASES if setup.missing(case.competitor) is None]


def _place(case: Case) -> str:
    """The name of the case's own database and files."""
    return f"kill_{case.name}"


def _begin(victim: _Victim, plan: Plan) -> None:
    troupe = victim.troupe
    troupe.driver.ask("clear")
    troupe.forget_markers()
    troupe.driver.ask("enqueue_many", task=HANG, count=plan.recovery_jobs)
    troupe.tree.start()


def _kill_when_busy(victims: Sequence[_Victim]) -> None:
    """Kill each case when all its slots are taken: jobs have started, then none for two seconds.

    A longer wait would be an advantage for systems whose timeout counts from the claim.
    """
    deadline = time.monotonic() + _START_SECONDS
    alive = {each.case.name: (each, 0, time.monotonic()) for each in victims}
    while alive:
        time.sleep(_POLL_SECONDS)
        now = time.monotonic()
        for name, (victim, count, since) in list(alive.items()):
            seen = len(markers.read_markers(victim.troupe.markers))
            if seen != count:
                alive[name] = (victim, seen, now)
            elif (seen and now - since > _QUIET_SECONDS) or now > deadline:
                del alive[name]
                _kill(victim)


def _kill(victim: _Victim) -> None:
    """From now on hanging jobs end at once: jobs that are run again need free slots."""
    troupe = victim.troupe
    troupe.tree.kill()
    victim.killed_at = markers.now()
    victim.running = frozenset(marker.number for marker in markers.read_markers(troupe.markers))
    troupe.release_file.touch()
    troupe.tree.start()


def _watch(victims: Sequence[_Victim], plan: Plan) -> None:
    deadline = time.monotonic() + plan.recovery_patience
    waiting = list(victims)
    while waiting and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        for victim in list(waiting):
            victim.started = started_since(
                markers.read_markers(victim.troupe.markers), victim.killed_at
            )
            if len(victim.started) == plan.recovery_jobs:
                waiting.remove(victim)
                victim.troupe.tree.kill()


def started_since(seen: Sequence[markers.Marker], moment: int) -> dict[int, float]:
    """The first start of each job after ``moment``, in seconds from it."""
    found: dict[int, float] = {}
    for each in seen:
        if each.at > moment:
            found.setdefault(each.number, (each.at - moment) / 1e9)
    return found


def _recovery(victim: _Victim, plan: Plan) -> Recovery:
    started = victim.started
    is_complete = len(started) == plan.recovery_jobs
    return Recovery(
        running=len(victim.running),
        restarted=sorted(started[number] for number in victim.running if number in started),
        all_started=max(started.values()) if is_complete else None,
        never=plan.recovery_jobs - len(started),
    )
