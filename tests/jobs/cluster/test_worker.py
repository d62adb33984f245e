"""The threads of a worker process, and how long it goes on by itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from structlog.testing import capture_logs

from jobs.engine import shared_memory
from jobs.engine.claim import Claimer
from jobs.engine.completer import Finished
from jobs.engine.executor import MOST_BATCHES, Executor
from jobs.models import Job
from tests.engine import DrivenRunner, ScriptedHandler
from tests.jobs.conftest import Register, close
from tests.jobs.rows import add, add_many, add_named, claim, hand_over, pairs, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cluster")]


# Threads


class ThreadedRunner(Executor):
    """With its threads, but neither keeper nor heartbeat."""

    def _begin(self) -> None:
        """The test looks at what has finished."""

    def finished(self, count: int) -> list[Finished]:
        return [self.keeper._finished.get(timeout=20) for _ in range(count)]

    def end(self) -> None:
        for pool in self._pools.values():
            pool.shutdown()


@pytest.fixture
def threaded() -> Iterator[Callable[..., ThreadedRunner]]:
    """Makes runners whose talks, once the test has let them go, end with it."""
    made: list[ThreadedRunner] = []

    def make(threads: int) -> ThreadedRunner:
        made.append(ThreadedRunner(threads=threads))
        return made[-1]

    yield make
    for runner in made:
        runner.end()


@pytest.fixture
def gate(threaded: Any) -> Iterator[threading.Event]:
    """What hangs does so until this is set, at the latest when the test ends."""
    gate = threading.Event()
    yield gate
    gate.set()


def hanging(gate: threading.Event) -> ScriptedHandler:
    return ScriptedHandler(talk=lambda work: gate.wait(timeout=20))


def subjects(finished: Sequence[Finished]) -> set[str]:
    return {job.subject for unit in finished for job in unit.jobs}


def test_a_slow_item_does_not_hold_back_its_batch(
    register: Register, threaded: Callable[..., ThreadedRunner], gate: threading.Event
) -> None:
    def talk(work: Any) -> None:
        assert work["name"] != "slow" or gate.wait(timeout=20)

    register(handler=ScriptedHandler(talk=talk))
    add_named("slow", "b", "c")
    runner = threaded(threads=3)
    hand_over(runner)
    runner.keeper.write(runner.finished(2))
    assert statuses() == {"slow": "processing", "b": "completed", "c": "completed"}
    gate.set()
    runner.keeper.write(runner.finished(1))
    assert statuses()["slow"] == "completed"


def test_a_type_that_hangs_leaves_the_threads_of_the_others_free(
    register: Register, threaded: Callable[..., ThreadedRunner], gate: threading.Event
) -> None:
    register("hanging", handler=hanging(gate))
    register("quick")
    runner = threaded(threads=2)
    add_named(*"abcde", type_="hanging")
    hand_over(runner)
    add_named("x", "y", "z", type_="quick")
    hand_over(runner)
    assert subjects(runner.finished(3)) == {"x", "y", "z"}


@pytest.mark.parametrize(("cap", "most"), [(100, 3), (2, 2)])
def test_a_type_has_as_many_threads_as_the_worker_allows_and_its_cap(
    register: Register,
    threaded: Callable[..., ThreadedRunner],
    gate: threading.Event,
    cap: int,
    most: int,
) -> None:
    def talk(work: Any) -> None:
        running.release()
        gate.wait(timeout=20)

    running = threading.Semaphore(0)
    register(handler=ScriptedHandler(talk=talk), max_in_flight=cap)
    add_named(*"abcdef")
    runner = threaded(threads=3)
    hand_over(runner)
    for _ in range(most):
        assert running.acquire(timeout=20)
    assert runner._pools["noop"]._max_workers == most
    gate.set()
    assert len(runner.finished(min(cap, 6))) == min(cap, 6)


# Going on


class GoingRunner(DrivenRunner):
    """Helps itself as a real one does."""

    _go_on = Executor._go_on


def at_work() -> int:
    return Job.objects.filter(status="processing").count()


def test_a_worker_goes_on_while_its_batches_are_full(register: Register) -> None:
    register(batch_size=3, max_in_flight=1000)
    add_many(8)
    runner = GoingRunner(threads=1)
    hand_over(runner)
    runner.keep()
    assert set(Job.objects.values_list("status", flat=True)) == {"completed"}
    assert shared_memory.left_off_at() > 0


def test_a_batch_that_is_not_full_is_no_backlog(register: Register) -> None:
    register(batch_size=3)
    add_many(2)
    runner = GoingRunner(threads=1)
    leases = claim()
    add_many(3)
    runner.run([(lease.job_id, lease.token) for lease in leases])
    assert at_work() == 2
    assert shared_memory.left_off_at() == 0


def test_a_worker_with_enough_at_hand_waits_until_some_of_it_is_written(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(seconds: float) -> None:
        at_hand.append(len(runner.live.jobs()))
        runner.keep()

    at_hand: list[int] = []
    monkeypatch.setattr("jobs.engine.executor.time.sleep", sleep)
    register(batch_size=2, max_in_flight=1000)
    add_many(20)
    runner = GoingRunner(threads=1)
    hand_over(runner)
    assert at_hand == [2 * MOST_BATCHES] * 2
    assert Job.objects.filter(status="pending").count() == 0


def test_a_worker_takes_a_message_that_waits_and_then_goes_on(register: Register) -> None:
    """It may be more urgent, or of a type that nobody else can take."""
    tasks = shared_memory.make_queue()
    register(batch_size=2, handler=ScriptedHandler(talk=lambda work: tasks.put("a message")))
    register("urgent")
    add_many(6)
    runner = GoingRunner(threads=1)
    hand_over(runner)
    assert at_work() == 2
    assert shared_memory.left_off_at() == 0
    while not tasks.empty():
        tasks.get()
    register(batch_size=2)
    urgent = add("urgent")
    runner.run(pairs([lease for lease in claim() if lease.job_id == urgent.pk]))
    assert Job.objects.filter(status="pending").count() == 0
    close(tasks)


def test_a_worker_goes_on_with_every_backlog_that_it_met(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In turn: one that hangs at its most leaves room for the others."""
    register("a", batch_size=2, max_in_flight=1000)
    register("b", batch_size=2, max_in_flight=1000)
    add_many(20, "a")
    runner = GoingRunner(threads=1)
    monkeypatch.setattr("jobs.engine.executor.time.sleep", lambda seconds: stop())

    def stop() -> None:
        shared_memory.set_stopping(True)

    hand_over(runner)
    assert at_work() == 2 * MOST_BATCHES
    shared_memory.set_stopping(False)
    add_many(20, "b")
    runner.run(pairs([lease for lease in claim() if lease.type == "b"]))
    counts = Counter(job.type for job in runner.live.jobs())
    assert counts == {"a": 2 * MOST_BATCHES, "b": 2 * MOST_BATCHES}


def test_a_worker_stops_helping_itself_when_the_cluster_stops(register: Register) -> None:
    stop = ScriptedHandler(talk=lambda work: shared_memory.set_stopping(True))
    register(batch_size=2, handler=stop)
    add_many(6)
    hand_over(GoingRunner(threads=1))
    assert at_work() == 2


def test_a_claim_that_fails_ends_the_going_on_and_nothing_else(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Claimer, job_type: Any) -> list[Job]:
        raise OperationalError("gone")

    monkeypatch.setattr(Claimer, "start", fail)
    monkeypatch.setattr("jobs.engine.executor.connection.close", lambda: None)
    register(batch_size=2)
    add_many(6)
    runner = GoingRunner(threads=1)
    with capture_logs() as logs:
        hand_over(runner)
    runner.keep()
    assert [entry["event"] for entry in logs] == ["claim_failed"]
    assert Job.objects.filter(status="completed").count() == 2
    assert shared_memory.left_off_at() > 0


def test_what_waits_for_a_thread_does_not_use_up_its_run_limit(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty dead receivers at four threads last longer than a limit that each keeps with ease."""

    def talk(work: Any) -> None:
        clock.append(clock[-1] + 60.0)
        overdue.extend(job.subject for job in runner.live.overdue() if job.subject == work["name"])

    clock, overdue = [1000.0], list[str]()
    monkeypatch.setattr("jobs.engine.heartbeat.time.monotonic", lambda: clock[-1])
    register(handler=ScriptedHandler(talk=talk), run_limit=timedelta(seconds=100))
    add_named("a", "b", "c")
    runner = DrivenRunner(threads=1)
    hand_over(runner)
    assert overdue == []
