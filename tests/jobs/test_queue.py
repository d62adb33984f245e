"""How work gets into the queue, and what Postgres keeps out of it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from jobs import queue
from jobs.errors import UnknownJobType
from jobs.models import Job, JobStatus
from tests.jobs.conftest import Register, in_thread
from tests.jobs.rows import add, started
from tests.support.engine import database_time

pytestmark = pytest.mark.django_db

# Enqueue


def test_only_registered_types_can_be_enqueued(register: Register) -> None:
    register()
    with pytest.raises(UnknownJobType, match="unheard"):
        add("unheard")


def test_work_that_waits_already_is_not_added_twice(register: Register) -> None:
    register()
    assert add(dedupe_key="k").pk == add(dedupe_key="k").pk
    assert Job.objects.get().rerun is False


def test_work_asked_for_while_it_is_under_way_runs_once_more(register: Register) -> None:
    register()
    job = started(dedupe_key="k")
    assert add(dedupe_key="k").pk == job.pk
    assert Job.objects.get().rerun is True


def test_ended_work_can_be_asked_for_anew(register: Register) -> None:
    register()
    done = add(dedupe_key="k")
    Job.objects.update(status="completed", completed_at=database_time())
    assert add(dedupe_key="k").pk != done.pk


@pytest.mark.django_db(transaction=True)
def test_clusters_are_woken_by_the_commit_and_not_by_a_rollback(register: Register) -> None:
    register()
    parameters = connection.get_connection_params()
    keys = ("host", "port", "user", "password", "dbname")
    options = {key: parameters[key] for key in keys if parameters.get(key)}
    with psycopg.connect(**options, autocommit=True) as listener:
        listener.execute(f"LISTEN {queue.CHANNEL}")
        with transaction.atomic():
            add()
            transaction.set_rollback(True)
        with transaction.atomic():
            add()
            add()
            listener.execute("SELECT 1")
            assert list(listener.notifies(timeout=0)) == []
        heard = list(listener.notifies(timeout=5, stop_after=1))
        listener.execute("SELECT 1")
        heard += list(listener.notifies(timeout=0))
    assert [notice.channel for notice in heard] == [queue.CHANNEL]


def test_each_recurring_type_has_one_row_however_often_clusters_start(register: Register) -> None:
    register("tick", is_recurring=True)
    register("tock", is_recurring=True)
    register("once")
    queue.ensure_recurring()
    queue.ensure_recurring()
    assert sorted(Job.objects.values_list("type", "priority")) == [("tick", 1), ("tock", 1)]


# What Postgres refuses


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        # What is no status breaks the rule of ended rows as well, and Postgres names that first.
        ("job_status_known|job_completed_at_when_ended", {"status": "lost"}),
        ("job_priority_known", {"priority": 5}),
        ("job_lease_while_processing", {"status": "processing"}),
        ("job_lease_while_processing", {"lease_token": 1}),
        ("job_completed_at_when_ended", {"status": JobStatus.FAILED}),
        ("job_live_dedupe_key", {"dedupe_key": "taken"}),
    ],
)
def test_illegal_rows_are_refused(
    register: Register, constraint: str, fields: dict[str, Any]
) -> None:
    register()
    add(dedupe_key="taken")
    job = add()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**fields)


def test_a_pending_row_has_not_ended(register: Register) -> None:
    register()
    add()
    with pytest.raises(IntegrityError, match="job_completed_at_when_ended"), transaction.atomic():
        Job.objects.update(completed_at=database_time())


@pytest.mark.django_db(transaction=True)
def test_a_frozen_worker_keeps_no_cluster_from_starting(register: Register) -> None:
    """It may hold the lock on the row of a recurring type for as long as its session lives."""
    register(is_recurring=True)
    queue.ensure_recurring()
    with transaction.atomic():
        Job.objects.select_for_update().get()
        assert in_thread(lambda: [queue.ensure_recurring()]) == [None]
    assert Job.objects.count() == 1
