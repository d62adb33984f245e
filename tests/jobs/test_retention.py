"""prune_jobs: what goes, what stays, and that it goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from jobs import control, queue, retention, stats
from jobs.handler import get_type
from jobs.models import Job, JobStatus
from jobs.retention import BATCH_ROWS, RUN_SECONDS, Limit, PruneJobs
from tests.conftest import MonotonicClock
from tests.jobs.conftest import Register, in_thread
from tests.jobs.rows import fill
from tests.support.engine import ScriptedHandler, database_time, run_due

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MANY = 1_000_000


def ended(age: timedelta, status: str = "completed", **fields: Any) -> Job:
    return Job.objects.create(
        type="noop", status=status, completed_at=database_time(-age), **fields
    )


def left() -> list[int]:
    return list(Job.objects.order_by("pk").values_list("pk", flat=True))


def prune(*limits: Limit) -> bool:
    return retention.prune(limits, seconds=60)


def let_postgres_know_nothing_of_the_table() -> None:
    """As of a table that was never analyzed."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_class SET reltuples = -1 WHERE oid = 'job_finished'::regclass")


def prune_as_configured() -> list[object]:
    return list(PruneJobs().load([Job(pk=1)]))


def analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")


def test_what_ended_long_ago_goes_and_the_rest_stays() -> None:
    ended(8 * DAY)
    young, other = ended(6 * DAY), ended(8 * DAY, "cancelled")
    assert prune(Limit(JobStatus.COMPLETED, 7, MANY)) is True
    assert left() == [young.pk, other.pk]


@pytest.mark.parametrize("configured", [{}, {"jobs_keep_days": 3, "jobs_keep_failed_days": 9}])
def test_failed_jobs_are_kept_longer(settings: Any, configured: dict[str, float]) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update=configured)
    days, failed_days = settings.CONFIG.jobs_keep_days, settings.CONFIG.jobs_keep_failed_days
    ended((days + 1) * DAY)
    ended((days + 1) * DAY, "cancelled")
    failed = ended((days + 1) * DAY, "failed")
    ended((failed_days + 1) * DAY, "failed")
    prune_as_configured()
    assert left() == [failed.pk]


@pytest.mark.parametrize("is_analyzed", [True, False])
def test_only_the_newest_rows_are_kept(is_analyzed: bool) -> None:
    rows = [ended(n * timedelta(hours=1)) for n in range(5)]
    failed = ended(100 * DAY, "failed")
    if is_analyzed:
        analyze()
    else:
        let_postgres_know_nothing_of_the_table()
    prune(Limit(JobStatus.COMPLETED, 7, 3))
    assert left() == sorted([*(row.pk for row in rows[:3]), failed.pk])


def test_rows_are_not_counted_while_there_cannot_be_too_many(
    django_assert_num_queries: Any,
) -> None:
    for _ in range(3):
        ended(timedelta(0))
    analyze()
    # The moment, the estimate; the bite with its savepoint.
    with django_assert_num_queries(5) as queries:
        prune(Limit(JobStatus.COMPLETED, 7, 100))
    assert not [query for query in queries if "OFFSET" in query["sql"]]


def test_live_rows_are_never_touched() -> None:
    long_ago = database_time(-100 * DAY)
    Job.objects.create(type="noop", created_at=long_ago, run_at=long_ago)
    Job.objects.create(
        type="noop",
        status="processing",
        created_at=long_ago,
        run_at=long_ago,
        lease_token=1,
        lease_expires_at=long_ago,
    )
    prune(*(Limit(status, 0.0001, 0) for status in JobStatus))
    assert len(left()) == 2


def test_it_stops_in_time_and_says_that_there_is_more() -> None:
    fill("completed", due_in="-8 days", count=BATCH_ROWS + 3)
    limit = Limit(JobStatus.COMPLETED, 7, MANY)
    assert retention.prune([limit], seconds=0) is False
    assert len(left()) == 3
    assert retention.prune([limit], seconds=60) is True
    assert left() == []


def test_what_is_pruned_is_counted() -> None:
    for _ in range(2):
        ended(8 * DAY)
    prune_as_configured()
    assert stats.counted()["jobs_pruned"] == 2


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_being_run_again_stays(register: Register) -> None:
    """Neither waits for the other: what is locked is skipped."""
    register(handler=ScriptedHandler())
    job = ended(31 * DAY, "failed")
    with transaction.atomic():
        control.redrive(job, actor="ada")
        assert in_thread(prune_as_configured)
    assert left() == [job.pk]


# As a job


@pytest.fixture
def recurring(register: Register) -> None:
    retention.register_job_type()
    queue.ensure_recurring()


def test_it_is_registered_with_the_service() -> None:
    job_type = get_type("prune_jobs")
    assert (job_type.is_recurring, job_type.max_in_flight) == (True, 1)


def test_it_runs_again_in_some_minutes(recurring: None) -> None:
    ended(8 * DAY)
    assert run_due() == ["prune_jobs"]
    job = Job.objects.get()
    assert (job.status, job.attempts) == ("pending", 0)
    assert job.run_at > database_time(retention.UNTIL_NEXT_RUN / 2)


def test_it_goes_on_at_once_while_there_is_more(recurring: None, monotonic: MonotonicClock) -> None:
    fill("completed", due_in="-8 days", count=BATCH_ROWS + 1)
    monotonic.step = 2 * RUN_SECONDS
    run_due()
    assert Job.objects.get(type="prune_jobs").run_at < database_time(timedelta(seconds=1))
    assert len(left()) == 2


def test_pruning_reads_rows_by_their_end() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN " + retention._BITE, ["completed", database_time(), retention.BATCH_ROWS]
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "using job_finished" in plan
    assert "Sort" not in plan
