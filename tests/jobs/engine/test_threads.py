"""The threads of a worker process, and how long it goes on claiming."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from structlog.testing import capture_logs

from jobs.engine import shared_memory
from jobs.engine.completer import Finished
from jobs.engine.executor import MOST_BATCHES, Executor
from jobs.handler import Resolved
from jobs.models import Job
from jobs.outcomes import Done
from tests.conftest import MonotonicClock
from tests.jobs.conftest import Register, until
from tests.jobs.rows import add, add_many, add_named, statuses
from tests.support.engine import DrivenExecutor, ScriptedHandler

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cluster")]


# Threads


class ThreadedExecutor(Executor):
    """With its threads, but neither completer nor heartbeat: the test looks at what finished."""

    def __init__(self, threads: int) -> None:
        self.pools: dict[str, ThreadPoolExecutor] = {}
        super().__init__(threads, make_pool=self.pool)

    def pool(self, threads: int, name: str) -> ThreadPoolExecutor:
        self.sizes = {name: threads}
        self.pools[name] = ThreadPoolExecutor(threads)
        return self.pools[name]

    def finished(self, count: int) -> list[Finished]:
        found: list[Finished] = []
        until(lambda: found.extend(self.completer.take()) or len(found) >= count)
        assert len(found) == count
        return found

    def end(self) -> None:
        for pool in self.pools.values():
            pool.shutdown()


@pytest.fixture
def threaded() -> Iterator[Callable[..., ThreadedExecutor]]:
    """Makes executors whose calls, once the test has let them go, end with it."""
    made: list[ThreadedExecutor] = []

    def make(threads: int) -> ThreadedExecutor:
        made.append(ThreadedExecutor(threads=threads))
        return made[-1]

    yield make
    for executor in made:
        executor.end()


@pytest.fixture
def gate(threaded: Any) -> Iterator[threading.Event]:
    """What hangs does so until this is set, at the latest when the test ends."""
    gate = threading.Event()
    yield gate
    gate.set()


def hanging(gate: threading.Event) -> ScriptedHandler:
    return ScriptedHandler(call=lambda work: gate.wait(timeout=20))


def subjects(finished: Sequence[Finished]) -> set[str]:
    return {job.subject for unit in finished for job in unit.jobs}


def test_a_slow_item_does_not_hold_back_its_batch(
    register: Register, threaded: Callable[..., ThreadedExecutor], gate: threading.Event
) -> None:
    def call(work: Any) -> None:
        assert work["name"] != "slow" or gate.wait(timeout=20)

    register(handler=ScriptedHandler(call=call))
    add_named("slow", "b", "c")
    executor = threaded(threads=3)
    executor.run_due()
    executor.completer.write(executor.finished(2))
    assert statuses() == {"slow": "processing", "b": "completed", "c": "completed"}
    gate.set()
    executor.completer.write(executor.finished(1))
    assert statuses()["slow"] == "completed"


def test_a_type_that_hangs_leaves_the_threads_of_the_others_free(
    register: Register, threaded: Callable[..., ThreadedExecutor], gate: threading.Event
) -> None:
    register("hanging", handler=hanging(gate))
    register("quick")
    executor = threaded(threads=2)
    add_named(*"abcde", type_="hanging")
    executor.run_due()
    add_named("x", "y", "z", type_="quick")
    executor.run_due()
    assert subjects(executor.finished(3)) == {"x", "y", "z"}


@pytest.mark.parametrize(("cap", "most"), [(100, 3), (2, 2)])
def test_a_type_has_as_many_threads_as_the_worker_allows_and_its_cap(
    register: Register,
    threaded: Callable[..., ThreadedExecutor],
    gate: threading.Event,
    cap: int,
    most: int,
) -> None:
    def call(work: Any) -> None:
        running.release()
        gate.wait(timeout=20)

    running = threading.Semaphore(0)
    register(handler=ScriptedHandler(call=call), max_in_flight=cap)
    add_named(*"abcdef")
    executor = threaded(threads=3)
    executor.run_due()
    for _ in range(most):
        assert running.acquire(timeout=20)
    assert executor.sizes == {"call-noop": most}
    gate.set()
    assert len(executor.finished(min(cap, 6))) == min(cap, 6)


# Going on


def at_work() -> int:
    return Job.objects.filter(status="processing").count()


def test_a_worker_goes_on_while_its_batches_are_full(register: Register) -> None:
    register(batch_size=3, max_in_flight=1000)
    add_many(8)
    executor = DrivenExecutor(threads=1)
    executor.run_due()
    executor.complete()
    assert set(Job.objects.values_list("status", flat=True)) == {"completed"}


def test_a_worker_with_a_full_batch_wakes_another_one(register: Register) -> None:
    """They share a backlog; a batch that is not full is no backlog."""
    woken: list[int] = []
    register(batch_size=3, max_in_flight=1000)
    executor = DrivenExecutor(threads=1, wake=lambda: woken.append(at_work()))
    add_many(2)
    executor.run_due()
    assert woken == []
    add_many(4)
    executor.run_due()
    assert woken == [5]


def test_a_worker_with_enough_at_hand_leaves_the_rest_until_some_of_it_is_written(
    register: Register,
) -> None:
    woken: list[int] = []
    register(batch_size=2, max_in_flight=1000)
    add_many(20)
    executor = DrivenExecutor(threads=1, wake=lambda: woken.append(at_work()))
    executor.run_due()
    assert at_work() == 2 * MOST_BATCHES
    woken.clear()
    executor.complete()
    assert woken == [0]
    executor.run_due()
    assert at_work() == 2 * MOST_BATCHES


def test_a_type_that_hangs_at_its_most_leaves_room_for_the_others(register: Register) -> None:
    register("a", batch_size=2, max_in_flight=1000)
    register("b", batch_size=2, max_in_flight=1000)
    executor = DrivenExecutor(threads=1)
    add_many(20, "a")
    executor.run_due()
    add_many(20, "b")
    executor.run_due()
    counts = Counter(job.type for job in executor.live.jobs())
    assert counts == {"a": 2 * MOST_BATCHES, "b": 2 * MOST_BATCHES}


def test_what_was_claimed_keeps_its_lease_while_another_batch_is_loaded(
    register: Register,
) -> None:
    """The heartbeat renews what is live; a load may take longer than a lease."""

    def load(jobs: Sequence[Job]) -> list[Resolved]:
        live.append(Counter(job.type for job in executor.live.jobs()))
        return [Resolved({job.pk: Done() for job in jobs})]

    live: list[Counter[str]] = []
    register("a", handler=ScriptedHandler(load=load))
    register("b", handler=ScriptedHandler(load=load))
    add("a")
    add("b")
    executor = DrivenExecutor(threads=1)
    executor.run_due()
    assert live == [{"a": 1, "b": 1}] * 2


def test_nothing_is_claimed_by_a_cluster_that_stops(register: Register) -> None:
    stop = ScriptedHandler(call=lambda work: shared_memory.set_stopping(True))
    register(batch_size=2, handler=stop)
    add_many(6)
    executor = DrivenExecutor(threads=1)
    for _ in range(2):
        executor.run_due()
        assert at_work() == 2


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_fails_is_left_to_the_next_wake(register: Register) -> None:
    register()
    add_many(2)
    executor = DrivenExecutor(threads=1)
    with capture_logs() as logs, connection.execute_wrapper(_refuse):
        executor.run_due()
    assert [entry["event"] for entry in logs] == ["claim_failed"]
    executor.run_due()
    executor.complete()
    assert Job.objects.filter(status="completed").count() == 2


def _refuse(*_: Any) -> Any:
    raise OperationalError("gone")


def test_what_waits_for_a_thread_does_not_use_up_its_run_limit(
    register: Register, monotonic: MonotonicClock
) -> None:
    """Sixty dead receivers at four threads last longer than a limit that each keeps with ease."""

    def call(work: Any) -> None:
        monotonic.now += 60.0
        late = [job.subject for job in executor.live.overdue()]
        overdue.extend(name for name in late if name == work["name"])

    overdue: list[str] = []
    register(handler=ScriptedHandler(call=call), run_limit=timedelta(seconds=100))
    add_named("a", "b", "c")
    executor = DrivenExecutor(threads=1)
    executor.run_due()
    assert overdue == []
