"""The service under a virtual clock: workers with single steps, a world, a receiver, and time."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random

from django.conf import settings
from django.db import connection

from core.sealing import unseal
from devtools.faults.ledger import Delete, Ledger, Truth
from devtools.faults.simulated.clock import VirtualClock
from devtools.faults.simulated.deaths import Deaths
from devtools.faults.simulated.network import Network
from devtools.faults.simulated.network_conditions import NetworkConditions
from devtools.faults.simulated.receiver import Receiver
from devtools.faults.simulated.workers import SimulatedWorker
from devtools.simulator.api import Api
from devtools.simulator.clock import SimulatedClock
from devtools.simulator.control import InstanceTruth
from devtools.simulator.control_api import ControlApi
from devtools.simulator.http import Request
from devtools.simulator.store import Store
from devtools.simulator.world.world import World
from jobs.engine import leasing
from jobs.failpoints import CrashedHereError

API_KEY = "simulated-key"
# A run with more steps than this is in a loop.
MOST_STEPS = 30_000
LONGEST_RECOVERY_SECONDS = 7200.0
# The reconciler notices changes at Novita, and an absence after three passes.
NOTICED_SECONDS = 260.0
_NEXT = """
SELECT (extract(epoch FROM least(
    (SELECT min(run_at) FROM jobs_job WHERE status = 'pending'),
    (SELECT min(lease_expires_at) FROM jobs_job WHERE status = 'processing')
)) * 1000)::bigint
"""
_IS_QUIET = """
SELECT NOT EXISTS (
    SELECT FROM jobs_job
    WHERE status IN ('pending', 'processing') AND coalesce(dedupe_key, '') NOT LIKE 'recurring:%%'
      AND NOT EXISTS (
        SELECT FROM instances_instance WHERE public_id = subject AND reason_code = 'STUCK'
      )
) AND NOT EXISTS (
    SELECT FROM instances_instance
    WHERE status NOT IN ('running', 'stopped', 'failed', 'terminated') AND reason_code <> 'STUCK'
) AND NOT EXISTS (SELECT FROM instances_orphan WHERE state = 'seen')
"""


@dataclass
class Service:
    """Everything of one run. Needs ``opened`` first (``devtools.faults.simulated.setup``)."""

    seed: int
    worker_count: int = 2
    story: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    # Periods in which GET by id did not find existing instances.
    blind_spans: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = self.stream("driver")
        self.clock = VirtualClock(each_beat=self._beat)
        self.deaths = Deaths(self._freeze, self.tell)
        self.world = World(
            Store(), SimulatedClock(real_ms=self.clock.real_ms), seed=self.seed % 1000
        )
        self.api = Api(self.world, API_KEY, sleep=self.clock.sleep, real_ms=self.clock.real_ms)
        self.network = Network(
            self.api,
            self.clock,
            NetworkConditions(self.stream("weather")),
            self.tell,
            self._at_call,
        )
        self.receiver = Receiver(self.stream("receiver"), self.clock, self.tell)
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._number = count()
        self._steps = 0
        self._may_be_due = True
        self._at_work: list[SimulatedWorker] = []
        self._names = (f"worker-{number}" for number in count(1))
        self.workers: list[SimulatedWorker] = []

    def stream(self, name: str) -> Random:
        """A random generator for each part, so that a draw in one does not change the others."""
        return Random(f"{self.seed}/{name}")

    def tell(self, text: str) -> None:
        who = self._at_work[-1].name if self._at_work else "world"
        self.story.append(f"{self.clock.monotonic():9.3f} {who:>9}  {text}")

    def hire(self) -> None:
        """Add workers up to ``worker_count``."""
        while len(self.workers) < self.worker_count:
            name = next(self._names)
            self.workers.append(
                SimulatedWorker(name, self.random, self.deaths.at, self.clock.sleep)
            )

    # Events by time

    def at(self, seconds: float, event: Callable[[], None]) -> None:
        """Schedule an event ``seconds`` after the beginning."""
        heapq.heappush(self._events, (self.clock.at(seconds), next(self._number), event))

    def _happen(self) -> None:
        self.network.deliver_late()
        while self._events and self._events[0][0] <= self.clock.now_ms:
            _, _, event = heapq.heappop(self._events)
            event()
            self._may_be_due = True

    def run_until(self, moment_ms: int) -> None:
        """Take steps, and move the clock while there are none."""
        while self.clock.now_ms < moment_ms:
            if not self._step():
                self.clock.move_to(min(moment_ms, self._next_ms()))
                self._may_be_due = True

    def run_for(self, seconds: float) -> None:
        self.run_until(self.clock.now_ms + round(seconds * 1000))

    def _next_ms(self) -> int:
        """The time of the next possible step."""
        with connection.cursor() as cursor:
            cursor.execute(_NEXT)
            (due_ms,) = cursor.fetchone()
        awake_ms = [worker.frozen_until_ms for worker in self.workers if self._is_frozen(worker)]
        moments = [due_ms, self.network.next_late_ms(), *awake_ms]
        moments += [self._events[0][0]] if self._events else []
        soonest = min(moment for moment in moments if moment is not None)
        # Work that is due already waits for something else: room in its type, a worker.
        return soonest + 1 if soonest >= self.clock.now_ms else self.clock.now_ms + 500

    # Steps

    def _step(self) -> bool:
        """One random step of one worker; False if no worker has anything to do."""
        self._happen()
        awake = [worker for worker in self.workers if not self._is_frozen(worker)]
        choices = [(worker, name) for worker in awake for name in worker.steps()]
        if self._may_be_due and awake:
            choices.append((self.random.choice(awake), "claim"))
        if not choices:
            return False
        self._steps += 1
        assert self._steps < MOST_STEPS, "the run is in a loop"  # noqa: S101
        worker, name = self.random.choice(choices)
        self._as_worker(worker, name)
        self.clock.sleep(0.001)
        return True

    def _as_worker(self, worker: SimulatedWorker, name: str) -> None:
        self._at_work.append(worker)
        self.deaths.is_worker = True
        try:
            if name == "claim":
                self._may_be_due = bool(worker.claim().jobs)
            else:
                worker.steps()[name]()
                self._may_be_due |= name == "write"
        except CrashedHereError:
            self._bury(worker)
        finally:
            self._at_work.pop()
            # A frozen worker may be below it; what others do meanwhile is not its work.
            self.deaths.is_worker = any(not self._is_frozen(each) for each in self._at_work)

    def _bury(self, worker: SimulatedWorker) -> None:
        """Remove it and add another. Its leases lapse now if its cluster saw the death."""
        assert not connection.in_atomic_block, "a death leaves no transaction"  # noqa: S101
        self.workers.remove(worker)
        self.deaths.is_worker = False
        if self.random.random() < 0.5:
            leasing.expire([worker.name])
        self._may_be_due = True
        self.hire()

    def _freeze(self, seconds: float) -> None:
        """Freeze the working worker, and let all others go on; one at a time."""
        if len(self._at_work) != 1:
            return
        worker = self._at_work[0]
        seconds = seconds or self.random.choice((16.0, 25.0, 60.0, 100.0))
        worker.frozen_until_ms = self.clock.now_ms + round(seconds * 1000)
        self.tell(f"freezes for {seconds:.0f} s")
        self.deaths.is_worker = False
        self._may_be_due = True
        self.run_until(worker.frozen_until_ms)
        self.deaths.is_worker = True
        self.tell("thaws")

    def _is_frozen(self, worker: SimulatedWorker) -> bool:
        return worker.frozen_until_ms > self.clock.now_ms

    def _beat(self) -> None:
        for worker in self.workers:
            if not self._is_frozen(worker):
                worker.beat()

    def _at_call(self, place: str) -> None:
        if self.deaths.is_worker:
            self.deaths.at(place)

    # The end

    def heal(self) -> None:
        """End all faults: from here on everything must recover by itself."""
        self.tell("all faults end")
        self.deaths.is_over = True
        self.network.conditions = NetworkConditions(self.stream("fair weather"))
        self.receiver.share = 0.0
        with self.world.session():
            self.world.change_settings({"delete_ignored": False, "action_400_yet_done": []})
            self.world.stock.rules.clear()

    def run_until_idle(self) -> None:
        """Run until no work is left; at most two hours."""
        latest_ms = self.clock.now_ms + round(LONGEST_RECOVERY_SECONDS * 1000)
        self.run_for(NOTICED_SECONDS)
        while not self.is_quiet() and self.clock.now_ms < latest_ms:
            self.run_for(30)

    def is_quiet(self) -> bool:
        if self._events or any(worker.steps() for worker in self.workers):
            return False
        with connection.cursor() as cursor:
            cursor.execute(_IS_QUIET)
            (is_quiet,) = cursor.fetchone()
        return bool(is_quiet)

    def ledger(self) -> Ledger:
        with connection.cursor() as cursor:
            return Ledger.load(cursor, unseal)

    def truth(self) -> Truth:
        answer = ControlApi(self.api).handle(Request("GET", "/_sim/ledger"))
        ledger = json.loads(answer.response.body)
        return Truth(
            [InstanceTruth.parse(each) for each in ledger["instances"]],
            self.receiver.messages,
            self.accepted,
            Delete.all_of(ledger["calls"]),
            self.asked,
            min(settings.CONFIG.instance_start_timeout, settings.CONFIG.instance_stuck_timeout),
            self.blind_spans,
        )
