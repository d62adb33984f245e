"""What a claimer remembers between claims, what its statement reads, and what it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from jobs.engine import leasing
from jobs.engine.claim import FULL_SCAN_SECONDS, Claimer
from jobs.models import Job, JobPriority
from tests.conftest import MonotonicClock
from tests.jobs.conftest import Register
from tests.jobs.rows import SECOND, add, add_many, claim, fill, ids, lapse, started
from tests.support.engine import database_time

pytestmark = pytest.mark.django_db


# Low-water marks


def test_a_row_released_before_the_low_water_mark_is_found_by_the_next_full_scan(
    register: Register, monotonic: MonotonicClock
) -> None:
    register(batch_size=2)
    rows = [add(run_at=database_time(-n * SECOND)).pk for n in range(10, 16)][::-1]
    claimer = Claimer("here:1")
    release_the_oldest(claim(claimer))
    assert ids(claim(claimer)) == set(rows[2:4])
    monotonic.now += FULL_SCAN_SECONDS + 0.1
    assert ids(claim(claimer)) == {rows[0], rows[4]}


def test_a_row_before_the_low_water_mark_is_found_at_once_when_there_is_nothing_else(
    register: Register, monotonic: MonotonicClock
) -> None:
    """Its commit may just have been slower than that of a row that was enqueued after it."""
    register()
    claimer = Claimer("here:1")
    add()
    assert len(claim(claimer)) == 1
    late = add(run_at=database_time(-SECOND))
    assert ids(claim(claimer)) == {late.pk}
    assert claim(claimer) == []


def release_the_oldest(jobs: list[Job]) -> None:
    leasing.release(min(jobs, key=lambda job: job.due))


def test_a_row_that_is_committed_a_little_late_is_found_beside_others(
    register: Register, monotonic: MonotonicClock
) -> None:
    register("a")
    register("b")
    claimer = Claimer("here:1")
    now = database_time(-SECOND)
    add("a", run_at=now)
    assert len(claim(claimer)) == 1
    late, other = add("a", run_at=now - SECOND / 20), add("b")
    assert ids(claim(claimer)) == {late.pk, other.pk}


def test_what_is_due_at_the_low_water_mark_itself_is_not_skipped(
    register: Register, monotonic: MonotonicClock
) -> None:
    """All rows of a bulk insert may have one due time."""
    register(batch_size=2)
    moment = database_time(-SECOND)
    for _ in range(5):
        add(run_at=moment)
    claimer = Claimer("here:1")
    assert [len(claim(claimer)) for _ in range(4)] == [2, 2, 1, 0]


def test_each_type_and_priority_has_a_low_water_mark_of_its_own(
    register: Register, monotonic: MonotonicClock
) -> None:
    register("a")
    register("b")
    claimer = Claimer("here:1")
    add("a")
    assert len(claim(claimer)) == 1
    old = database_time(-60 * SECOND)
    urgent, other = add("a", priority=JobPriority.HIGH, run_at=old), add("b", run_at=old)
    assert ids(claim(claimer)) == {urgent.pk, other.pk}


def test_a_row_of_a_dead_worker_sets_no_low_water_mark(
    register: Register, monotonic: MonotonicClock
) -> None:
    """Due rows may lie before it; those that were taken in turn do not."""
    register(max_in_flight=2)
    orphan, other = started(), started()
    waiting = add(run_at=database_time(-60 * SECOND))
    lapse(orphan)
    claimer = Claimer("here:1")
    assert ids(claim(claimer)) == {orphan.pk}
    leasing.release(other)
    assert waiting.pk in ids(claim(claimer))


# What the statement reads


@contextmanager
def plans_of_claims() -> Iterator[list[Any]]:
    """The plan of every claim inside, as it was carried out: it took the rows."""
    plans: list[Any] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "\nEXECUTE " in sql:
            with connection.connection.cursor() as raw:
                raw.execute(
                    sql.replace("\nEXECUTE ", "\nEXPLAIN (ANALYZE, FORMAT JSON) EXECUTE "), params
                )
                raw.nextset()
                plans.extend(raw.fetchone()[0])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield plans


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def rows_read(plan: dict[str, Any]) -> float:
    """Rows of the jobs' table and its indexes that were read, whether of use or not."""
    read = 0.0
    for node in nodes(plan):
        if node.get("Relation Name") == "jobs_job" or node["Node Type"] == "Bitmap Index Scan":
            removed = node.get("Rows Removed by Filter", 0)
            removed += node.get("Rows Removed by Index Recheck", 0)
            read += (node["Actual Rows"] + removed) * node["Actual Loops"]
    return read


def leave_the_statistics_of_few_rows_on_many_pages() -> None:
    """And these rows as dead ones, since nobody vacuums here."""
    fill("completed", due_in="-1 hour", count=5000)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM jobs_job")
    fill("pending", due_in="-1 hour", count=200)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")
        cursor.execute("DELETE FROM jobs_job")


@pytest.mark.parametrize("planned", ["on an empty table", "on a full table", "on a sparse table"])
def test_a_claim_reads_what_it_takes_and_not_what_waits_or_has_ended(
    register: Register, planned: str
) -> None:
    """Whatever there was when Postgres made its plan, which stays in use for minutes."""
    register()
    claimer = Claimer("here:1")
    if planned == "on a sparse table":
        leave_the_statistics_of_few_rows_on_many_pages()
    if planned != "on a full table":
        for _ in range(10):
            assert claim(claimer) == []
    fill("pending", due_in="1 hour")
    fill("completed", due_in="-1 hour")
    for _ in range(10):
        assert claim(claimer) == []
    add_many(3)
    with plans_of_claims() as plans:
        claim(claimer)
    assert Job.objects.filter(status="processing").count() == 3
    (plan,) = plans
    assert rows_read(plan["Plan"]) < 30


def test_a_claim_is_planned_once_for_each_connection(register: Register) -> None:
    register()
    claimer = Claimer("here:1")
    for _ in range(12):
        claim(claimer)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans > 0 FROM pg_prepared_statements WHERE name = 'novitai_claim'"
        )
        assert cursor.fetchall() == [(True,)]


def test_claimers_of_one_connection_share_its_statements(register: Register) -> None:
    register(batch_size=1)
    add_many(3)
    assert [len(claim(Claimer(f"here:{n}"))) for n in range(3)] == [1, 1, 1]


def test_a_statement_outlives_the_transaction_that_it_was_made_in(register: Register) -> None:
    register()
    job = add()
    claimer = Claimer("here:1")
    with transaction.atomic():
        assert len(claim(claimer)) == 1
        transaction.set_rollback(True)
    assert ids(claim(Claimer("here:2"))) == {job.pk}


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_gets_its_own_statements(register: Register) -> None:
    register(batch_size=1)
    add_many(2)
    claimer = Claimer("here:1")
    assert len(claim(claimer)) == 1
    connection.close()
    assert len(claim(claimer)) == 1


# What is started


def test_a_claim_starts_what_it_takes(register: Register) -> None:
    register()
    payload = {"a": [1, {"b": None}], "c": "ü"}
    job = add(payload=payload, subject="inst_1", request_id="req_1")
    (row,) = claim()
    assert (row.pk, row.attempts, row.status, row.payload) == (job.pk, 1, "processing", payload)
    stored = Job.objects.get()
    assert (stored.attempts, stored.worker) == (1, "here:1")
    assert stored.processed_at is not None
    assert stored.lease_expires_at is not None
    assert stored.lease_expires_at > database_time(leasing.LEASE - SECOND)
    with transaction.atomic():
        assert leasing.lock_owned([row]) == {job.pk}


def test_the_rows_of_a_batch_come_the_most_urgent_first(register: Register) -> None:
    register()
    late, early = add_many(1)[0], add_many(1, run_at=database_time(-90 * SECOND))[0]
    low, high = (add(priority=each, run_at=database_time(-99 * SECOND)) for each in (1, 3))
    assert [row.pk for row in claim()] == [high.pk, early.pk, late.pk, low.pk]
