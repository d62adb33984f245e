"""A scenario is a fault on a running stack; a trial is one run of it.

A new fault: a function that takes a ``Trial``, and a line in ``SCENARIOS`` of its file in
``scenarios/``; a new file also goes into ``suite.py``.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests

from devtools.faults.real import ledgers, recovery
from devtools.faults.real.processes import Process, WaitedInVainError, kill_at_once, wait_until
from devtools.faults.real.stack import Shape, Stack

# One GPU of a product with large stock; no disk with a charge.
BODY: Mapping[str, Any] = {"gpuNum": 1, "rootfsSize": 60, "productName": "RTX 4090 24GB"}
_UNSENT = (
    "SELECT id FROM instances_instance WHERE public_id = ANY(%s)"
    " AND status = 'creating' AND create_step = 'choose'"
)
_STATUSES = "SELECT public_id, status FROM instances_instance WHERE public_id = ANY(%s)"


@dataclass(slots=True)
class Outcome:
    """Result of one run. ``figures``: by their name in the table of the page."""

    fault: str
    seed: int
    instances: int = 0
    deaths: int = 0
    recovered_seconds: list[float] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


class Trial:
    """One run: a seed, a stack that earlier runs have used, and the outcome."""

    def __init__(self, stack: Stack, fault: str, seed: int) -> None:
        self.stack, self.fault, self.seed = stack, fault, seed
        self.random = random.Random(f"{fault}:{seed}")  # noqa: S311 - to be replayed, not to be secret
        self.outcome = Outcome(fault, seed)
        self.control = stack.simulator.control
        self.began_ms = int(time.time() * 1000)
        self._faults: list[str] = []

    @property
    def tag(self) -> str:
        """Prefix of this run's instance names, which assigns violations to it."""
        return f"{self.fault.lower()}-{self.seed}-"

    # Actions of callers

    def create(self, **changes: Any) -> str:
        """Create one instance of this run."""
        self.outcome.instances += 1
        name = f"{self.tag}{self.outcome.instances}"
        return self.stack.create_insisting(**{**BODY, "name": name, **changes})

    def create_once(self, **changes: Any) -> str:
        """Like ``create``, without a retry. Raises RefusedError and the exceptions of requests."""
        self.outcome.instances += 1
        name = f"{self.tag}{self.outcome.instances}"
        return self.stack.create(**{**BODY, "name": name, **changes})

    def load(self, count: int, *, callers: int) -> "Future[list[str]]":
        """Send ``count`` creates from ``callers`` threads, in the background, with retries."""
        first = self.outcome.instances + 1
        self.outcome.instances += count
        names = [f"{self.tag}{number}" for number in range(first, first + count)]

        def ask(name: str) -> str:
            return self.stack.create_insisting(seconds=60, **{**BODY, "name": name})

        def ask_all() -> list[str]:
            with ThreadPoolExecutor(callers) as pool:
                return list(pool.map(ask, names))

        return ThreadPoolExecutor(1).submit(ask_all)

    def create_many(self, count: int, **changes: Any) -> list[str]:
        return [self.create(**changes) for _ in range(count)]

    def end(self, ids: Iterable[str]) -> None:
        for each in ids:
            insist(self.stack, "DELETE", f"/api/instances/{each}")

    def statuses(self, ids: Sequence[str]) -> dict[str, str]:
        return dict(ledgers.rows(self.stack, _STATUSES, list(ids)))

    def wait_until_all(self, ids: Sequence[str], *statuses: str, seconds: float = 60) -> None:
        """If they do not reach a status in time, the run has a violation but goes on."""

        def are_there() -> bool:
            return set(self.statuses(ids).values()) <= set(statuses)

        try:
            wait_until(are_there, seconds=seconds)
        except WaitedInVainError:
            late = {each: word for each, word in self.statuses(ids).items() if word not in statuses}
            self.object(f"I2: after {seconds:.0f} s these are not {' or '.join(statuses)}: {late}")

    def wait_until_created(self, ids: Sequence[str], *, seconds: float = 60) -> None:
        self.wait_until_all(
            ids, *("starting", "running", "failed", "terminating", "terminated"), seconds=seconds
        )

    def wait_until_sent(self, ids: Sequence[str]) -> None:
        """Wait until each create was sent under the faults of this run, or has failed."""
        wait_until(lambda: not ledgers.rows(self.stack, _UNSENT, list(ids)), seconds=30)

    # Faults

    def add_fault(self, effect: str = "", **fields: Any) -> None:
        """Fields as in the simulator's control; removed at the end of the run."""
        if "preset" in fields:
            made = self.control.edge(**fields)
        else:
            made = self.control.add_fault(effect or "delay", **fields)
        self._faults.append(made["id"])

    def clear_faults(self) -> None:
        """Remove only this run's faults; other runs may go on at the same time."""
        while self._faults:
            self.control.clear_faults(self._faults.pop())

    def arm(self, point: str) -> None:
        """The next process that reaches this failpoint dies there."""
        (self.stack.crash_points / point).touch()

    def await_death(self, point: str, *, seconds: float = 20) -> bool:
        """Wait for the death and for the takeover of its jobs; False if no process reached it."""
        order = self.stack.crash_points / point
        try:
            wait_until(lambda: not order.exists(), seconds=seconds)
        except WaitedInVainError:
            order.unlink(missing_ok=True)
            return False
        self.outcome.deaths += 1
        self.follow_the_dead(time.monotonic())
        return True

    def kill(self, processes: Iterable[Process], *, restart_after: float = 0.0) -> None:
        """kill -9 of all, then a start; measures from there until others have their jobs."""
        doomed = list(processes)
        kill_at_once(doomed)
        self.outcome.deaths += len(doomed)
        held = recovery.held_by_the_dead(self.stack)
        time.sleep(restart_after)
        began = time.monotonic()
        for process in doomed:
            process.start()
        self.follow(held, since=began)

    def follow_the_dead(self, died: float) -> None:
        # The process may still be a running one for a moment after its kill.
        time.sleep(recovery.POLL_SECONDS)
        self.follow(recovery.held_by_the_dead(self.stack), since=died)

    def follow(self, held: Mapping[int, int], *, since: float) -> None:
        """Wait until these jobs, given with their tokens, are taken over."""
        found = recovery.follow(self.stack, held, since=since)
        self.outcome.recovered_seconds += found.seconds
        for job in found.forgotten:
            self.object(f"I8: job {job} was not taken over {recovery.LONGEST_SECONDS:.0f} s after")

    # Results

    def object(self, violation: str) -> None:
        self.outcome.violations.append(violation)

    def expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.object(otherwise)

    def note(self, name: str, value: float) -> None:
        self.outcome.figures[name] = self.outcome.figures.get(name, 0) + value

    def made(self) -> dict[str, int]:
        """The number of GPUs made for each upstream name of this run."""
        counts: dict[str, int] = {}
        for truth in self.control.ledger().instances:
            if truth.name.startswith(self.tag):
                counts[truth.name] = counts.get(truth.name, 0) + 1
        return counts


@dataclass(frozen=True, slots=True)
class Scenario:
    """``runs``: number of seeds in a full run. ``not_yet``: why it cannot be run at all."""

    fault: str
    title: str
    play: Callable[[Trial], None] | None
    runs: int = 5
    shape: Shape = field(default_factory=Shape)
    environment: Mapping[str, str] = field(default_factory=dict)
    grace_seconds: float = 90.0
    ending_seconds: float = 90.0
    has_own_server: bool = False
    # Limit that the page promises for the 95th percentile over all runs.
    recovery_target_seconds: float | None = None
    not_yet: str = ""


def insist(stack: Stack, method: str, path: str, *, seconds: float = 30) -> None:
    """Retry until the service accepts; a web process may be dead or the database unavailable."""

    def is_accepted() -> bool:
        try:
            return stack.call(method, path).status_code < 300
        except requests.RequestException:
            return False

    wait_until(is_accepted, seconds=seconds, what=f"for {method} {path}")
