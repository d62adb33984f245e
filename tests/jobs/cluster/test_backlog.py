"""When the pusher leaves a type to the workers, who claim for themselves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jobs.cluster import broker
from jobs.cluster.broker import JobBroker
from jobs.engine import shared_memory
from tests.jobs.cluster.test_broker import batches_of
from tests.jobs.conftest import Register
from tests.jobs.rows import add, add_many, lapse, started

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The broker's clock, which stands still until the test sets it; nobody waits."""
    clock = SimpleNamespace(now=1000.0, sleep=lambda seconds: None)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr("jobs.cluster.broker.time", clock)
    monkeypatch.setattr(JobBroker, "_wait", lambda self: None)
    return clock


@pytest.fixture
def two_workers(settings: Any) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"job_workers": 2})


@pytest.mark.django_db
def test_a_type_with_a_backlog_is_left_to_the_workers_for_a_while(
    register: Register, clock: SimpleNamespace, two_workers: None
) -> None:
    """Each has a full batch of it and goes on by itself; the others are for the pusher."""
    register("flood", batch_size=2)
    register("other")
    flood = [job.pk for job in add_many(6, "flood")]
    made = JobBroker()
    assert batches_of(made.dequeue() + made.dequeue()) == [flood[:2], flood[2:4]]
    other = add("other")
    assert batches_of(made.dequeue()) == [[other.pk]]
    clock.now += broker.HOLD_BACK_SECONDS + 0.1
    assert batches_of(made.dequeue()) == [flood[4:]]


@pytest.mark.django_db
def test_a_worker_that_leaves_off_gives_the_backlog_back_to_the_pusher(
    register: Register, clock: SimpleNamespace, two_workers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a type at its cap, or one with a row now and then, stood still for half a second."""
    monkeypatch.setattr(shared_memory, "time", clock)
    register(batch_size=1)
    rows = [job.pk for job in add_many(3)]
    made = JobBroker()
    assert batches_of(made.dequeue() + made.dequeue()) == [rows[:1], rows[1:2]]
    assert made.dequeue() == []
    clock.now += 0.01
    shared_memory.leave_off()
    assert batches_of(made.dequeue()) == [rows[2:]]


@pytest.mark.django_db
@pytest.mark.parametrize("counts", [(2, 1, 2, 1, 2), (2, 0, 2, 0, 2)])
def test_full_batches_that_do_not_follow_one_another_are_no_backlog(
    register: Register, clock: SimpleNamespace, two_workers: None, counts: tuple[int, ...]
) -> None:
    register(batch_size=2)
    made = JobBroker()
    for count in counts:
        add_many(count)
        assert sum(len(batch) for batch in batches_of(made.dequeue())) == count


@pytest.mark.django_db
def test_suspects_are_no_backlog(
    register: Register, clock: SimpleNamespace, two_workers: None
) -> None:
    register(batch_size=1)
    lapse(started(), started(), started())
    made = JobBroker()
    assert len(made.dequeue()) == 3
    for _ in range(2):
        add()
        assert len(made.dequeue()) == 1
