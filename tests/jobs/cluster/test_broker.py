"""From claimed rows to messages, and waiting when there are none."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django_q.signing import SignedPackage
from structlog.testing import capture_logs

from jobs import counters
from jobs.cluster import broker
from jobs.cluster.broker import JobBroker
from jobs.engine import heartbeat, leasing, shared_memory
from jobs.engine.claim import Claimer, Lease
from jobs.models import Counter, Job, JobPriority
from tests.engine import ScriptedHandler
from tests.jobs.conftest import Register, close, in_thread
from tests.jobs.rows import add, claim, lapse, pairs, started

LOW, NORMAL, HIGH, CRITICAL = sorted(JobPriority.values)


pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "LONGEST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(broker.time, "sleep", lambda seconds: None)


def messages_of(made: list[tuple[str, str]]) -> list[Any]:
    return [SignedPackage.loads(message) for _, message in made]


def batches_of(made: list[tuple[str, str]]) -> list[list[int]]:
    return [[job_id for job_id, _ in each["args"][0]] for each in messages_of(made)]


# Batches


def lease(
    job_id: int,
    type_: str = "noop",
    *,
    priority: int = NORMAL,
    is_suspect: bool = False,
    attempts: int = 0,
) -> Lease:
    """Due in the order of the ids."""
    return Lease(
        job_id, job_id, type_, priority, float(job_id), is_suspect, is_suspect, attempts, 5
    )


def sizes(leases: list[Lease]) -> list[list[int]]:
    return [[each.job_id for each in batch] for batch in broker.batches(leases)]


def test_a_batch_is_of_one_type_and_no_larger_than_that_type_allows(register: Register) -> None:
    register("a", batch_size=2)
    register("b", batch_size=50)
    rows = [lease(1, "a"), lease(2, "b"), lease(3, "a"), lease(4, "b"), lease(5, "a")]
    assert sizes(rows) == [[1, 3], [2, 4], [5]]


def test_a_row_from_a_dead_worker_goes_alone(register: Register) -> None:
    register()
    rows = [lease(1), lease(2, is_suspect=True), lease(3), lease(4, is_suspect=True)]
    assert sizes(rows) == [[1, 3], [2], [4]]


def test_the_most_urgent_batch_and_the_most_urgent_row_in_it_go_first(register: Register) -> None:
    register("a", batch_size=2)
    register("b")
    rows = [lease(1, "a"), lease(2, "a", priority=HIGH), lease(3, "a", priority=LOW)]
    rows += [lease(4, "b", priority=CRITICAL), lease(5, "b", is_suspect=True, priority=HIGH)]
    assert sizes(rows) == [[4], [2, 1], [5], [3]]


# Messages


@pytest.mark.django_db
def test_a_message_carries_ids_and_tokens_only(register: Register) -> None:
    register()
    add(payload={"secret": "s3cret"})
    (message,) = messages_of(JobBroker().dequeue())
    job = Job.objects.get()
    assert message["args"] == ([(job.pk, job.lease_token)],)
    assert message["func"] == "jobs.cluster.supervisor.run_message"
    assert message["kwargs"] == {"is_alone": False}


@pytest.mark.django_db
@pytest.mark.parametrize(("attempts", "is_alone"), [(1, False), (4, True)])
def test_only_at_its_last_chance_a_suspect_gets_a_process_to_itself(
    register: Register, attempts: int, is_alone: bool
) -> None:
    register()
    lapse(started())
    Job.objects.update(attempts=attempts)
    (message,) = messages_of(JobBroker().dequeue())
    assert message["kwargs"] == {"is_alone": is_alone}


@pytest.mark.django_db
def test_rows_of_dead_workers_are_counted(register: Register) -> None:
    register()
    lapse(started(), started())
    add()
    assert len(JobBroker().dequeue()) == 3
    assert Counter.objects.get(name=counters.LEASES_LAPSED).value == 2


@pytest.mark.django_db
def test_a_suspect_that_was_handed_back_has_not_lapsed_again(register: Register) -> None:
    register()
    lapse(started())
    leasing.release(pairs(claim()))
    JobBroker().dequeue()
    assert not Counter.objects.filter(name=counters.LEASES_LAPSED).exists()


@pytest.mark.django_db
def test_claims_bear_the_name_of_the_process_that_makes_them(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """django-q2 makes the broker in the sentinel, before the pusher is forked from it."""
    register()
    add()
    with monkeypatch.context() as before_the_fork:
        before_the_fork.setattr(heartbeat.os, "getpid", lambda: 1)
        made = JobBroker()
    made.dequeue()
    assert Job.objects.get().worker == heartbeat.worker_name()


# Whether to claim


@pytest.mark.django_db
def test_nothing_is_claimed_while_something_waits_to_be_taken(
    register: Register, short_waits: None
) -> None:
    register()
    add()
    tasks = shared_memory.make_queue()
    tasks.put("something")
    assert JobBroker().dequeue() == []
    assert Job.objects.get().status == "pending"
    tasks.get()
    assert len(JobBroker().dequeue()) == 1
    close(tasks)


@pytest.mark.django_db
def test_nothing_is_claimed_by_a_cluster_that_stops(register: Register) -> None:
    register()
    add()
    shared_memory.set_stopping(True)
    assert JobBroker().dequeue() == []
    assert Job.objects.get().status == "pending"


# Waiting


@pytest.mark.django_db(transaction=True)
def test_a_notify_between_the_claim_and_the_wait_is_not_lost(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register()
    monkeypatch.setattr(broker, "LONGEST_WAIT_SECONDS", 30.0)

    def claim_then_enqueue(self: Claimer, types: Any = None) -> list[Lease]:
        leases = claim_(self, types)
        in_thread(add)
        return leases

    claim_ = Claimer.claim
    made = JobBroker()
    with monkeypatch.context() as patch:
        patch.setattr(Claimer, "claim", claim_then_enqueue)
        assert made.dequeue() == []
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
    blocked = broker.has_blocked_rows

    def lose_the_connection() -> bool:
        answer = blocked()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        in_thread(lambda: _execute("SELECT pg_terminate_backend(%s, 5000)", pid))
        # The wait itself finds out; the next due time was looked up before.
        monkeypatch.setattr(broker, "seconds_to_next_due", lambda: None)
        return answer

    monkeypatch.setattr(broker, "has_blocked_rows", lose_the_connection)
    with capture_logs() as logs:
        assert made.dequeue() == []
    assert [entry["event"] for entry in logs] == ["database_unusable", "claim_failed"]
    monkeypatch.setattr(broker, "has_blocked_rows", blocked)
    add()
    assert len(made.dequeue()) == 1


def _execute(sql: str, *parameters: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
    return True


@pytest.mark.django_db
@pytest.mark.parametrize("cap", [1, 2])
def test_a_pusher_tells_whether_it_waits_for_room(
    register: Register, short_waits: None, cap: int
) -> None:
    register(max_in_flight=cap)
    add()
    made = JobBroker()
    assert len(made.dequeue()) == 1
    assert made.dequeue() == []
    assert shared_memory.is_blocked() == (cap == 1)


# Rows that killed every worker


@pytest.mark.django_db
def test_a_row_that_cannot_be_buried_holds_nobody_up(register: Register) -> None:
    def refuse(job: Job, error: str) -> None:
        raise LookupError("no such thing")

    register("cursed", handler=ScriptedHandler(on_give_up=refuse))
    register("spent")
    register("noop")
    cursed, spent = started("cursed"), started("spent")
    lapse(cursed, spent)
    Job.objects.update(attempts=5)
    healthy = add("noop")
    with capture_logs():
        assert batches_of(JobBroker().dequeue()) == [[healthy.pk]]
    assert Job.objects.get(pk=cursed.pk).status == "processing"
    assert Job.objects.get(pk=spent.pk).status == "failed"
