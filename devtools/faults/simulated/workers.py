"""A worker process within this one: the real executor, whose threads are single steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from random import Random
from typing import Any

from jobs.engine import leasing
from jobs.engine.claim import Claimed
from jobs.engine.completer import Finished
from jobs.engine.executor import Executor
from jobs.handler import JobType
from jobs.models import Job

Step = Callable[[], None]


class StepPool(futures.Executor):
    """Keeps submitted calls until a step executes them."""

    def __init__(self, calls: list[Step]) -> None:
        self._calls = calls

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        self._calls.append(lambda: fn(*args, **kwargs))
        return futures.Future()


class SimulatedWorker(Executor):
    """Claims, loads, calls and writes only in steps; has no threads."""

    def __init__(
        self,
        name: str,
        random: Random,
        at: Callable[[str], None],
        sleep: Callable[[float], None],
    ) -> None:
        self._calls: list[Step] = []
        super().__init__(
            threads=4, name=name, make_pool=lambda *_: StepPool(self._calls), sleep=sleep
        )
        self._at = at
        self.name = name
        self.frozen_until_ms = 0
        self._random = random
        self._inbox: list[Sequence[Job]] = []
        self._unwritten: list[Finished] = []

    def steps(self) -> Mapping[str, Step]:
        """The possible steps now, besides a claim."""
        self._unwritten += self.completer.take()
        can = {
            "start": (self._start_one, bool(self._inbox)),
            "call": (self._call_one, bool(self._calls)),
            "write": (self._write_all, bool(self._unwritten)),
        }
        return {name: step for name, (step, is_possible) in can.items() if is_possible}

    def claim(self, of: Sequence[JobType] | None = None) -> Claimed:
        """Claim, as after a wake; the batches are started in steps of their own."""
        claimed = super().claim(of)
        self._inbox += claimed.batches
        return claimed

    def beat(self) -> None:
        """Renew the leases, as the heartbeat thread does."""
        if tokens := self.live.tokens():
            leasing.renew(tokens)

    def _start_one(self) -> None:
        self.work(self._inbox.pop(self._random.randrange(len(self._inbox))))

    def _call_one(self) -> None:
        self._at("worker.before_call")
        self._calls.pop(self._random.randrange(len(self._calls)))()

    def _write_all(self) -> None:
        """Write, as the completer does; items that the database refused stay for the next step."""
        self._at("worker.before_write")
        self.completer.write(self._unwritten)
