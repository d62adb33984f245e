"""GET /api/jobs and /api/jobs/{id}."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import Project
from instances.database_clock import database_now
from jobs.api.details import job_details
from jobs.api.schemas import JobDetails
from jobs.models import Job


def make(project: Project | None, **fields: Any) -> Job:
    return Job.objects.create(**{"type": "send_webhook", "project": project, **fields})


def test_a_job_shows_the_fields_of_the_contract(api: Client, project: Project) -> None:
    job = make(project, payload={"instanceId": "inst_1"}, subject="inst_1", priority=3)
    body = api.get(f"/api/jobs/{job.public_id}").json()
    assert body["id"] == job.public_id
    assert (body["type"], body["status"], body["priority"]) == ("send_webhook", "pending", 3)
    assert (body["attempts"], body["maxAttempts"]) == (0, 5)
    assert body["payload"] == {"instanceId": "inst_1"}
    # Not tried yet, so nothing is retried.
    assert "nextRetryAt" not in body
    assert "error" not in body


def test_a_job_that_waits_for_its_next_attempt_says_when(api: Client, project: Project) -> None:
    job = make(project, attempts=1, error="refused", processed_at=database_now())
    body = api.get(f"/api/jobs/{job.public_id}").json()
    assert body["nextRetryAt"].endswith("Z")
    assert body["error"] == "refused"


def test_the_schema_names_exactly_the_fields_there_can_be(project: Project) -> None:
    now = database_now()
    job = make(project, error="e", subject="s", request_id="r", processed_at=now)
    job.completed_at = now
    assert set(job_details(job)) == set(JobDetails().fields)


def test_urls_in_payloads_show_neither_query_nor_user_and_env_no_values(
    api: Client, project: Project
) -> None:
    payload = {
        "url": "https://me:hunter2@a.example/hook?key=hunter2#hunter2",
        "payload": {"webhookUrl": "http://[hunter2"},
        "envs": [{"key": "A", "value": "hunter2"}],
        "secret": "hunter2",
    }
    body = api.get(f"/api/jobs/{make(project, payload=payload).public_id}").json()
    assert body["payload"]["url"] == "https://a.example/hook?…"
    assert body["payload"]["envs"] == [{"key": "A", "value": "…"}]
    assert "hunter2" not in json.dumps(body)


def test_only_own_jobs_are_there(api: Client, project: Project, other_project: Project) -> None:
    own = make(project)
    for foreign in (make(other_project), make(None, type="refresh_catalogue")):
        response = api.get(f"/api/jobs/{foreign.public_id}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "JOB_NOT_FOUND"
    body = api.get("/api/jobs").json()
    assert [job["id"] for job in body["jobs"]] == [own.public_id]
    assert body["total"] == 1


def test_jobs_are_found_by_instance_at_a_constant_cost(
    api: Client, project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    mine = [make(project, subject="inst_1").public_id for _ in range(3)]
    make(project, subject="inst_2")
    # The key, the page, the count.
    with django_assert_num_queries(3):
        body = api.get("/api/jobs?instance=inst_1").json()
    assert [job["id"] for job in body["jobs"]] == mine[::-1]
    assert body["total"] == 3


@pytest.mark.parametrize("path", ["/api/jobs/%00", "/api/jobs/nothing"])
def test_unknown_ids_are_404(api: Client, path: str) -> None:
    assert api.get(path).json()["error"]["code"] == "JOB_NOT_FOUND"


def test_nul_as_an_instance_finds_nothing(api: Client) -> None:
    assert api.get("/api/jobs?instance=%00").json() == {"jobs": [], "total": 0}
