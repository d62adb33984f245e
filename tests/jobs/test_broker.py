"""From claimed rows to messages, and waiting when there are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django_q.signing import SignedPackage

from jobs import broker, cluster_state, leasing, queue
from jobs.broker import JobBroker
from jobs.leasing import Lease
from jobs.models import Job
from tests.engine import ScriptedHandler, database_time
from tests.jobs.conftest import Register, close, in_thread


@pytest.fixture(autouse=True)
def cluster() -> Iterator[None]:
    cluster_state.forget_queues()
    cluster_state.set_stopping(False)
    yield
    cluster_state.forget_queues()
    cluster_state.set_stopping(False)


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "LONGEST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(broker.time, "sleep", lambda seconds: None)


def lease(job_id: int, type_: str = "noop", *, is_suspect: bool = False) -> Lease:
    return Lease(job_id, job_id, type_, is_suspect, is_exhausted=False)


def sizes(leases: list[Lease]) -> list[list[int]]:
    return [[each.job_id for each in batch] for batch in broker.batches(leases)]


def test_a_batch_is_of_one_type_and_no_larger_than_that_type_allows(register: Register) -> None:
    register("a", batch_size=2)
    register("b", batch_size=50)
    rows = [lease(1, "a"), lease(2, "b"), lease(3, "a"), lease(4, "b"), lease(5, "a")]
    assert sizes(rows) == [[1, 3], [5], [2, 4]]


def test_a_row_from_a_dead_worker_goes_alone(register: Register) -> None:
    register()
    rows = [lease(1), lease(2, is_suspect=True), lease(3), lease(4, is_suspect=True)]
    assert sizes(rows) == [[2], [4], [1, 3]]


def messages_of(made: list[tuple[str, str]]) -> list[Any]:
    return [SignedPackage.loads(message)["args"][0] for _, message in made]


@pytest.mark.django_db
def test_a_message_carries_ids_and_tokens_only(register: Register) -> None:
    register()
    queue.enqueue("noop", payload={"secret": "s3cret"})
    made = JobBroker().dequeue()
    job = Job.objects.get()
    assert messages_of(made) == [[(job.pk, job.lease_token)]]


@pytest.mark.django_db
def test_nothing_is_claimed_while_something_waits_to_be_taken(
    register: Register, short_waits: None
) -> None:
    register()
    queue.enqueue("noop", payload={})
    tasks = cluster_state.make_queue()
    tasks.put("something")
    assert JobBroker().dequeue() == []
    assert Job.objects.get().status == "pending"
    tasks.get()
    assert len(JobBroker().dequeue()) == 1
    close(tasks)


@pytest.mark.django_db
def test_nothing_is_claimed_by_a_cluster_that_stops(register: Register) -> None:
    register()
    queue.enqueue("noop", payload={})
    cluster_state.set_stopping(True)
    assert JobBroker().dequeue() == []
    assert Job.objects.get().status == "pending"


@pytest.mark.django_db(transaction=True)
def test_a_notify_between_the_claim_and_the_wait_is_not_lost(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register()
    monkeypatch.setattr(broker, "LONGEST_WAIT_SECONDS", 30.0)
    claim = leasing.claim

    def claim_then_enqueue(**options: Any) -> list[Lease]:
        leases = claim(**options)
        in_thread(lambda: queue.enqueue("noop", payload={}))
        return leases

    monkeypatch.setattr(leasing, "claim", claim_then_enqueue)
    made = JobBroker()
    assert made.dequeue() == []
    monkeypatch.setattr(leasing, "claim", claim)
    assert len(made.dequeue()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_during_the_wait_is_waited_for(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that raised would stop the pusher for ten seconds."""
    register()
    monkeypatch.setattr(broker, "LONGEST_WAIT_SECONDS", 30.0)
    monkeypatch.setattr(broker.time, "sleep", lambda seconds: None)
    made = JobBroker()
    blocked = leasing.has_blocked_rows

    def lose_the_connection() -> bool:
        answer = blocked()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        in_thread(lambda: _execute("SELECT pg_terminate_backend(%s, 5000)", pid))
        # The wait itself finds out; the next due time was looked up before.
        monkeypatch.setattr(leasing, "seconds_to_next_due", lambda: None)
        return answer

    monkeypatch.setattr(leasing, "has_blocked_rows", lose_the_connection)
    assert made.dequeue() == []
    monkeypatch.setattr(leasing, "has_blocked_rows", blocked)
    queue.enqueue("noop", payload={})
    assert len(made.dequeue()) == 1


def _execute(sql: str, *parameters: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
    return True


def orphans(*types: str) -> list[Job]:
    jobs = [queue.enqueue(type_, payload={}) for type_ in types]
    leasing.claim(worker="dead")
    Job.objects.update(attempts=5, lease_expires_at=database_time(-2 * leasing.LEASE))
    return jobs


@pytest.mark.django_db
def test_a_row_that_cannot_be_buried_holds_nobody_up(register: Register) -> None:
    def refuse(job: Job, error: str) -> None:
        raise LookupError("no such thing")

    register("cursed", handler=ScriptedHandler(on_give_up=refuse))
    register("spent")
    register("noop")
    cursed, spent = orphans("cursed", "spent")
    healthy = queue.enqueue("noop", payload={})
    (batch,) = messages_of(JobBroker().dequeue())
    assert [job_id for job_id, _ in batch] == [healthy.pk]
    assert Job.objects.get(pk=cursed.pk).status == "processing"
    assert Job.objects.get(pk=spent.pk).status == "failed"
