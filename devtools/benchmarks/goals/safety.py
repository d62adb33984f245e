"""Kills, freezes and many clusters: measures whether work is lost, done twice, or not done."""

import contextlib
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace

import psutil

from devtools.benchmarks import markers
from devtools.benchmarks.competitors.base import BATCHED, MARK
from devtools.benchmarks.goals.load import GOALS_ENGINE
from devtools.benchmarks.measures.speed import FIRST_PACED
from devtools.benchmarks.plan import Plan
from devtools.benchmarks.processes import Tree
from devtools.benchmarks.setup import Setup, Troupe

ONCE, STALE = "once", "stale"
_LEASE_SECONDS = 15.0
_STALE_JOBS = 20
_PATIENCE_SECONDS = 60.0
_SERVED_SECONDS = 40.0
_JOBS_AFTER_KILL = 20
_PER_SECOND_AFTER_KILL = 10.0
_POLL_SECONDS = 0.02
_AFTER_THAW_SECONDS = 6.0


@dataclass
class Once:
    """Number of runs of jobs that four clusters shared, without a death."""

    jobs: int
    ran_once: int
    ran_more: int
    never: int
    deadlocks: int
    jobs_per_second: float


def run_exactly_once(setup: Setup, plan: Plan) -> dict[str, object]:
    """All clusters on one queue."""
    clusters = list(GOALS_ENGINE.commands) * plan.once_clusters
    deadlocks_before = setup.postgres.log().count("deadlock detected")
    with setup.troupe(replace(GOALS_ENGINE, commands=clusters), "engine") as troupe:
        troupe.driver.ask("clear")
        troupe.forget_markers()
        troupe.tree.start()
        troupe.warm_up({BATCHED: 2_000, MARK: 20})
        troupe.tree.freeze()
        troupe.driver.ask("fill", task=ONCE, count=plan.once_jobs)
        begun = markers.now()
        troupe.tree.thaw()
        ended = troupe.driver.ask("await_drained", task=ONCE, seconds=_PATIENCE_SECONDS * 2)
        seen = [each for each in markers.read_markers(troupe.markers) if each.at > begun]
        troupe.tree.stop()
    found = count_runs(seen, plan.once_jobs)
    found.deadlocks = setup.postgres.log().count("deadlock detected") - deadlocks_before
    found.jobs_per_second = plan.once_jobs / ((ended - begun) / 1e9)
    return asdict(found)


def count_runs(seen: list[markers.Marker], jobs: int) -> Once:
    """Without rate and deadlocks."""
    runs = Counter(each.number for each in seen)
    once = sum(1 for times in runs.values() if times == 1)
    return Once(jobs, once, len(runs) - once, jobs - len(runs), 0, 0.0)


def write_stale(setup: Setup) -> dict[str, object]:
    """Freeze a cluster past its lease, let another do its work, then thaw it."""
    with setup.troupe(GOALS_ENGINE, "engine") as troupe:
        driver, frozen = troupe.driver, troupe.tree
        successor = Tree(GOALS_ENGINE.commands, troupe.env, troupe.log)
        driver.ask("clear")
        troupe.forget_markers()
        frozen.start()
        refused_before = driver.ask("call", method="refused")
        driver.ask("enqueue_many", task=STALE, count=_STALE_JOBS)
        _await_markers(troupe, _STALE_JOBS)
        frozen.freeze()
        try:
            successor.start()
            seconds = _LEASE_SECONDS + _PATIENCE_SECONDS
            driver.ask("await_drained", task=STALE, seconds=seconds)
            rows = driver.ask("call", method="fingerprint", task=STALE)
            frozen.thaw()
            time.sleep(_AFTER_THAW_SECONDS)
            changed = driver.ask("call", method="fingerprint", task=STALE) != rows
            effects = driver.ask("call", method="count_effects")
            refused = driver.ask("call", method="refused")
        finally:
            successor.kill()
    counted = None if refused is None else refused - (refused_before or 0)
    return {
        "jobs": _STALE_JOBS,
        "stale_writes": max(effects - _STALE_JOBS, int(changed)),
        "refused": counted,
    }


def kill_one_by_one(setup: Setup) -> dict[str, float]:
    """SIGKILL to each process of an idle cluster except its command, one after the other.

    The workers wait at the pipe meanwhile, so the one that reads it is among them. By the process's
    place in the tree: the longest wait in seconds of a job enqueued after the kill; _SERVED_SECONDS
    if one never ran.
    """
    found: dict[str, float] = {}
    with setup.troupe(GOALS_ENGINE, "engine") as troupe:
        troupe.driver.ask("clear")
        troupe.forget_markers()
        troupe.tree.start()
        troupe.warm_up({MARK: 20})
        sentinel, *others = _below_the_command(troupe.tree)
        for place, victim in [*enumerate(others, 1), (0, sentinel)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
                name = f"child {place}" if place else "sentinel"
                found[name] = _longest_wait(troupe, FIRST_PACED + place * _JOBS_AFTER_KILL)
    return found


def _below_the_command(tree: Tree) -> list[psutil.Process]:
    """All processes except the leader, oldest first."""
    found = sorted(tree.members(), key=lambda process: (process.create_time(), process.pid))
    return found[1:]


def _longest_wait(troupe: Troupe, first: int) -> float:
    """Measures for some seconds: processes that the kill affects may still run the first job."""
    committed = troupe.driver.ask(
        "pace", task=MARK, first=first, count=_JOBS_AFTER_KILL, per_second=_PER_SECOND_AFTER_KILL
    )
    started: dict[int, int] = {}
    deadline = time.monotonic() + _SERVED_SECONDS
    while len(started) < _JOBS_AFTER_KILL and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        for each in markers.read_markers(troupe.markers):
            if first <= each.number < first + _JOBS_AFTER_KILL:
                started.setdefault(each.number, each.at)
    if len(started) < _JOBS_AFTER_KILL:
        return _SERVED_SECONDS
    longest: int = max(at - committed[number - first] for number, at in started.items())
    return longest / 1e9


def _await_markers(troupe: Troupe, count: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(markers.read_markers(troupe.markers)) < count and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
