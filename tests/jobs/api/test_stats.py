"""GET /api/jobs/stats."""

import json
from datetime import timedelta
from typing import Any

from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import Project
from accounts.services import create_api_key
from jobs import control, counters, stats
from jobs.api.stats import JobStats
from jobs.models import Job, Worker
from tests.conftest import client_of
from tests.jobs.rows import fill
from tests.support.engine import database_time

SECOND = timedelta(seconds=1)


def make(project: Project | None, **fields: Any) -> Job:
    return Job.objects.create(**{"type": "send_webhook", "project": project, **fields})


def processing(project: Project | None, **fields: Any) -> Job:
    lease = {"lease_token": 1, "lease_expires_at": database_time()}
    return make(project, status="processing", **lease, **fields)


def ended(project: Project | None, ago: timedelta, status: str = "completed") -> Job:
    return make(project, status=status, completed_at=database_time(-ago))


def worker(**fields: Any) -> Worker:
    values = {"name": "h:1:0", "host": "h", "pid": 1, "last_seen_at": database_time()}
    return Worker.objects.create(**(values | fields))


def of(api: Client) -> dict[str, Any]:
    response = api.get("/api/jobs/stats")
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def of_type(body: dict[str, Any], name: str) -> dict[str, Any]:
    (entry,) = (entry for entry in body["types"] if entry["type"] == name)
    return entry


def test_an_empty_queue_has_every_type_and_no_age(api: Client) -> None:
    body = of(api)
    assert body["jobs"] == {"pending": 0, "processing": 0, "failed": 0}
    assert "oldestDueSeconds" not in body
    entry = of_type(body, "send_webhook")
    assert entry == {
        "type": "send_webhook",
        "isPaused": False,
        "isRecurring": False,
        "pending": 0,
        "processing": 0,
        "failed": 0,
        "inFlight": 0,
        "maxInFlight": 60,
    }
    assert of_type(body, "prune_jobs")["isRecurring"] is True
    assert [window["minutes"] for window in body["ended"]] == [1, 5, 60]
    assert {window["endedPerMinute"] for window in body["ended"]} == {0}
    assert body["workers"] == []
    assert body["counters"]["staleWritesRefused"] == 0


def test_the_schema_names_the_fields_there_can_be(api: Client, project: Project) -> None:
    make(project)
    assert set(of(api)) == set(JobStats.model_fields)


def test_live_and_failed_rows_are_counted_by_type_with_the_age_of_the_oldest_due(
    api: Client, project: Project
) -> None:
    make(project, run_at=database_time(-100 * SECOND))
    make(project, run_at=database_time(-50 * SECOND))
    make(project, type="create_instance", run_at=database_time(100 * SECOND))
    make(project, type="monitor_instance", run_at=database_time(-300 * SECOND))
    processing(project)
    ended(project, SECOND, "failed")
    body = of(api)
    assert body["jobs"] == {"pending": 4, "processing": 1, "failed": 1}
    assert 300 <= body["oldestDueSeconds"] < 320
    webhooks = of_type(body, "send_webhook")
    assert (webhooks["pending"], webhooks["processing"], webhooks["failed"]) == (2, 1, 1)
    assert 100 <= webhooks["oldestDueSeconds"] < 120
    # Not due yet: nothing is late.
    assert "oldestDueSeconds" not in of_type(body, "create_instance")


def test_a_project_sees_its_own_rows_and_the_slots_that_all_share(
    api: Client, project: Project, other_project: Project
) -> None:
    processing(project)
    processing(other_project)
    make(other_project, run_at=database_time(-100 * SECOND))
    ended(other_project, SECOND)
    ended(other_project, SECOND, "failed")
    ended(project, SECOND)
    body = of(api)
    assert body["jobs"] == {"pending": 0, "processing": 1, "failed": 0}
    assert "oldestDueSeconds" not in body
    entry = of_type(body, "send_webhook")
    assert (entry["processing"], entry["inFlight"], entry["maxInFlight"]) == (1, 2, 60)
    assert (body["ended"][0]["completed"], body["ended"][0]["failed"]) == (1, 0)


def test_a_key_without_admin_sees_nothing_of_workers_and_of_other_projects(
    project: Project, other_project: Project
) -> None:
    processing(project)
    processing(other_project)
    worker(running=[{"job": "j", "type": "send_webhook", "seconds": 1}])
    reader = client_of(create_api_key(project=project, name="k", scopes=["write"]))
    body = of(reader)
    assert set(body) == set(JobStats.model_fields) - {"oldestDueSeconds"}
    assert of_type(body, "send_webhook")["inFlight"] == 1
    assert of_type(body, "create_instance")["inFlight"] == 0
    assert (body["workers"], body["counters"]) == ([], {})


def test_what_a_worker_runs_names_only_the_callers_jobs(
    api: Client, project: Project, other_project: Project
) -> None:
    mine, foreign = processing(project), processing(other_project)
    running = [
        {"job": foreign.public_id, "type": "send_webhook", "seconds": 12.5},
        {"job": mine.public_id, "type": "send_webhook", "seconds": 1},
        {"job": "job_of_the_service", "type": "prune_jobs", "seconds": 0.1},
    ]
    worker(in_flight=3, running=running, cluster="h:0")
    body = of(api)
    (entry,) = body["workers"]
    assert (entry["host"], entry["pid"], entry["isAlive"], entry["inFlight"]) == ("h", 1, True, 3)
    assert entry["startedAt"].endswith("Z")
    assert entry["lastHeartbeatAt"].endswith("Z")
    assert [run.get("job") for run in entry["running"]] == [None, mine.public_id, None]
    assert 12.5 <= entry["running"][0]["seconds"] < 30
    assert foreign.public_id not in json.dumps(body)
    assert "job_of_the_service" not in json.dumps(body)


def test_a_worker_that_is_silent_is_lost_and_its_clocks_stand_still(
    api: Client, project: Project
) -> None:
    running = [{"job": "j", "type": "send_webhook", "seconds": 3.0}]
    worker(last_seen_at=database_time(-21 * SECOND), running=running)
    worker(name="h:2:0", pid=2, last_seen_at=database_time(-15 * SECOND))
    young, lost = of(api)["workers"]
    assert (young["pid"], young["isAlive"]) == (2, True)
    assert (lost["pid"], lost["isAlive"], lost["running"][0]["seconds"]) == (1, False, 3.0)


def test_what_is_paused_is_not_overdue(api: Client, project: Project) -> None:
    make(project, run_at=database_time(-60 * SECOND))
    control.pause("send_webhook", actor="operator:ada")
    body = of(api)
    assert "oldestDueSeconds" not in body
    assert of_type(body, "send_webhook")["oldestDueSeconds"] >= 60


def test_a_paused_type_says_since_when(api: Client) -> None:
    control.pause("send_webhook", actor="operator:ada", reason="secret trouble")
    body = of(api)
    entry = of_type(body, "send_webhook")
    assert entry["isPaused"] is True
    assert entry["pausedAt"].endswith("Z")
    # Who and why is between operators.
    assert "ada" not in json.dumps(body)
    assert "trouble" not in json.dumps(body)


def test_rates_are_per_minute_over_each_window(api: Client, project: Project) -> None:
    for seconds in (10, 20, 120, 200, 1_000):
        ended(project, seconds * SECOND)
    ended(project, 30 * SECOND, "failed")
    ended(project, 90 * SECOND, "cancelled")
    ended(project, 4_000 * SECOND)
    one, five, hour = of(api)["ended"]
    assert (one["completed"], one["failed"], one["cancelled"]) == (2, 1, 0)
    assert (one["endedPerMinute"], one["failedPerMinute"]) == (3, 1)
    assert (five["completed"], five["cancelled"], five["endedPerMinute"]) == (4, 1, 1.2)
    assert (hour["completed"], hour["endedPerMinute"]) == (5, 0.12)
    assert "isCapped" not in hour


def test_rates_hold_where_more_ended_than_is_looked_at(api: Client, project: Project) -> None:
    """100 a second: the newest 2,000 reach back 20 s, which is the rate of the minute too."""
    fill("completed", due_in="0", count=3000, apart="10 ms", project=project)
    one = of(api)["ended"][0]
    assert (one["completed"], one["isCapped"]) == (stats.ENDED_CAP, True)
    assert 5_000 < one["endedPerMinute"] <= 6_000


def test_counts_are_capped_and_say_so(api: Client, project: Project) -> None:
    fill("failed", due_in="0", count=stats.FAILED_CAP + 1, project=project)
    jobs = {"pending": 0, "processing": 0, "failed": stats.FAILED_CAP, "isCapped": True}
    assert of(api)["jobs"] == jobs


def test_the_age_of_the_oldest_holds_beyond_the_cap(project: Project) -> None:
    oldest = database_time(-100 * SECOND)
    for run_at in (oldest, database_time(), database_time()):
        make(project, run_at=run_at)
    (pending,) = stats.count(project.pk, live_cap=2)
    assert (pending.rows, pending.oldest_due_at) == (2, oldest)


def test_counters_are_there(api: Client) -> None:
    counters.count(counters.JOBS_PRUNED, 5)
    assert of(api)["counters"]["jobsPruned"] == 5


def test_a_key_is_needed(anonymous: Client) -> None:
    assert anonymous.get("/api/jobs/stats").status_code == 401


def test_the_cost_does_not_grow_with_what_there_is(
    api: Client, project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        make(project)
        ended(project, SECOND)
    worker(running=[{"job": "j", "type": "send_webhook", "seconds": 1}])
    # A key's first use is noted, and an allowance borrowed for what follows.
    of(api)
    # The key, the clock; counts, paused, in flight, ended, workers, own jobs, counters.
    with django_assert_num_queries(9):
        of(api)
