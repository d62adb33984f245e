"""GET /api/jobs and /api/jobs/{id}."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import Project
from core.clock import database_now
from jobs.api.answers import JobDetails, SingleJobDetails
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
    assert set(JobDetails.of(job).as_json()) == set(JobDetails.model_fields)
    assert set(SingleJobDetails.of(job).as_json()) == set(SingleJobDetails.model_fields)


def test_a_job_tells_its_last_errors_without_what_must_not_be_shown(
    api: Client, project: Project
) -> None:
    at = "2026-01-31T12:00:00.123456+00:00"
    errors = [
        {"at": at, "attempt": 1, "error": "refused", "traceback": "in hunter2()"},
        {"at": at, "attempt": 2, "error": "KeyError: https://me:hunter2@a.example/h?k=hunter2 no"},
        {"at": at, "attempt": 3, "error": "IntegrityError: null value\nDETAIL: row (hunter2)"},
        {"at": at, "error": "run again by operator:ada"},
    ]
    body = api.get(f"/api/jobs/{make(project, errors=errors).public_id}").json()
    moment = "2026-01-31T12:00:00.123Z"
    assert body["errors"] == [
        {"at": moment, "attempt": 1, "message": "refused"},
        {"at": moment, "attempt": 2, "message": "KeyError: https://a.example/h?… no"},
        {"at": moment, "attempt": 3, "message": "IntegrityError: null value"},
        {"at": moment, "message": "run again by operator:ada"},
    ]
    assert "hunter2" not in json.dumps(body)
    assert "errors" not in api.get("/api/jobs").json()["jobs"][0]


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
    # A key's first use is noted, and an allowance borrowed for what follows.
    api.get("/api/jobs")
    # The key, the page; where that is not all, the count.
    with django_assert_num_queries(2):
        body = api.get("/api/jobs?instance=inst_1").json()
    with django_assert_num_queries(3):
        assert api.get("/api/jobs?instance=inst_1&limit=2").json()["total"] == 3
    assert [job["id"] for job in body["jobs"]] == mine[::-1]
    assert body["total"] == 3


@pytest.mark.parametrize("path", ["/api/jobs/%00", "/api/jobs/nothing"])
def test_unknown_ids_are_404(api: Client, path: str) -> None:
    assert api.get(path).json()["error"]["code"] == "JOB_NOT_FOUND"


# Filters


def ids(api: Client, **query: str) -> list[str]:
    response = api.get("/api/jobs", query)
    assert response.status_code == 200, response.content
    return [job["id"] for job in response.json()["jobs"]]


def test_jobs_are_found_by_type_and_status(api: Client, project: Project) -> None:
    now = database_now()
    a = make(project).public_id
    b = make(project, status="failed", completed_at=now).public_id
    c = make(project, type="create_instance", status="completed", completed_at=now).public_id
    assert ids(api, type="send_webhook") == [b, a]
    assert ids(api, type="create_instance, send_webhook") == [c, b, a]
    assert ids(api, status="failed") == [b]
    assert ids(api, status="pending,completed") == [c, a]
    assert ids(api, status="completed", type="send_webhook") == []


@pytest.mark.parametrize("query", ["status=pending&status=failed", "limit=1&limit=2"])
def test_a_parameter_that_is_given_twice_is_refused(api: Client, query: str) -> None:
    """The last would win, and the caller would miss what the others asked for."""
    response = api.get(f"/api/jobs?{query}")
    assert response.status_code == 400
    assert "May be given once" in response.content.decode()


def test_jobs_are_found_by_age(api: Client, project: Project) -> None:
    now = database_now()
    ages = (30, 20, 10)
    old, middle, young = (
        make(project, created_at=now - timedelta(minutes=minutes)).public_id for minutes in ages
    )
    assert ids(api, minAgeSeconds="900") == [middle, old]
    assert ids(api, maxAgeSeconds="900") == [young]
    assert ids(api, minAgeSeconds="900", maxAgeSeconds="1500") == [middle]
    moment = (now - timedelta(minutes=15)).isoformat()
    assert ids(api, createdBefore=moment) == [middle, old]
    assert ids(api, createdAfter=moment) == [young]
    # The narrowest of two limits counts.
    assert ids(api, createdBefore=moment, minAgeSeconds="1500") == [old]


def test_pages_of_a_filtered_list_go_on_where_the_last_one_ended(
    api: Client, project: Project
) -> None:
    rows = []
    for _ in range(3):
        rows.append(make(project).public_id)
        make(project, type="create_instance")
    first = api.get("/api/jobs?type=send_webhook&limit=2").json()
    assert ([job["id"] for job in first["jobs"]], first["total"]) == (rows[:0:-1], 3)
    second = api.get(f"/api/jobs?type=send_webhook&limit=2&cursor={first['nextCursor']}").json()
    assert ([job["id"] for job in second["jobs"]], second["total"]) == ([rows[0]], 3)
    assert "nextCursor" not in second


@pytest.mark.parametrize(
    ("query", "field", "told"),
    [
        ("status=lost", "status", "'lost' is none of: cancelled, completed, failed"),
        ("status=pending,", "status", "'' is none of"),
        ("type=dance", "type", "'dance' is none of: create_instance"),
        ("type=prune_jobs", "type", "is none of"),
        ("createdAfter=yesterday", "createdAfter", "ISO 8601"),
        ("createdAfter=2026-01-31T12:00:00", "createdAfter", "zone"),
        ("createdBefore=2026-01-31T12:00:00+01:00", "createdBefore", "%2B"),
        ("minAgeSeconds=-1", "minAgeSeconds", "0"),
        ("maxAgeSeconds=1e3", "maxAgeSeconds", "integer"),
        ("maxAgeSeconds=99999999999999999999", "maxAgeSeconds", "1000000000"),
        ("instance=%00", "instance", "Null"),
        ("instance=", "instance", "empty"),
        ("state=failed", "state", "Unknown query parameter"),
    ],
)
def test_a_wrong_filter_is_named(
    api: Client, project: Project, query: str, field: str, told: str
) -> None:
    response = api.get(f"/api/jobs?{query}")
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    (entry,) = error["validationErrors"]
    assert entry["field"] == field
    assert told in entry["message"]


def test_a_time_before_or_after_all_jobs_is_no_error(api: Client, project: Project) -> None:
    make(project)
    everything = "createdAfter=0001-01-01T00:00:00Z&createdBefore=9999-12-31T23:59:59-01:00"
    assert api.get(f"/api/jobs?{everything}").json()["total"] == 1
    assert api.get("/api/jobs?createdBefore=1970-01-01T00:00:00Z").json()["total"] == 0


# Retry and cancel


def failed(project: Project | None, **fields: Any) -> Job:
    values = {"status": "failed", "completed_at": database_now(), "attempts": 5}
    return make(project, payload={"deliveryId": "msg_none"}, **(values | fields))


def test_a_failed_job_is_retried(api: Client, project: Project) -> None:
    job = failed(project)
    response = api.post(f"/api/jobs/{job.public_id}/retry")
    assert response.status_code == 200
    body = response.json()
    assert (body["id"], body["status"], body["attempts"]) == (job.public_id, "pending", 0)
    assert "completedAt" not in body
    assert body["errors"][-1]["message"].startswith("run again by key:key_")


def test_a_live_job_is_cancelled(api: Client, project: Project) -> None:
    job = make(project, payload={"deliveryId": "msg_none"})
    response = api.post(f"/api/jobs/{job.public_id}/cancel")
    assert response.status_code == 200
    body = response.json()
    assert (body["id"], body["status"]) == (job.public_id, "cancelled")
    assert body["completedAt"].endswith("Z")


@pytest.mark.parametrize(
    ("verb", "fields", "code", "told"),
    [
        ("retry", {"status": "pending", "completed_at": None}, "JOB_NOT_REDRIVABLE", "pending"),
        ("retry", {"type": "create_instance"}, "JOB_NOT_REDRIVABLE", "cannot be run again"),
        ("retry", {"type": "of_a_later_release"}, "UNKNOWN_JOB_TYPE", "of_a_later_release"),
        ("cancel", {}, "JOB_NOT_CANCELLABLE", "failed"),
        (
            "cancel",
            {"type": "create_instance", "status": "pending", "completed_at": None},
            "JOB_NOT_CANCELLABLE",
            "half done",
        ),
    ],
)
def test_what_a_job_does_not_allow_is_a_conflict(
    api: Client, project: Project, verb: str, fields: dict[str, Any], code: str, told: str
) -> None:
    job = failed(project, **fields)
    response = api.post(f"/api/jobs/{job.public_id}/{verb}")
    assert response.status_code == 409
    error = response.json()["error"]
    assert error["code"] == code
    assert told in error["message"]
    before = job.status
    job.refresh_from_db()
    assert job.status == before


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_the_jobs_of_others_cannot_be_touched(
    api: Client, other_project: Project, verb: str
) -> None:
    status = {"retry": {}, "cancel": {"status": "pending", "completed_at": None}}[verb]
    for owner in (other_project, None):
        foreign = failed(owner, **status)
        response = api.post(f"/api/jobs/{foreign.public_id}/{verb}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "JOB_NOT_FOUND"
        before = foreign.status
        foreign.refresh_from_db()
        assert foreign.status == before
    assert api.post(f"/api/jobs/%00/{verb}").status_code == 404


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_verbs_are_posted_with_a_key(
    api: Client, anonymous: Client, project: Project, verb: str
) -> None:
    path = f"/api/jobs/{failed(project).public_id}/{verb}"
    for method in ("get", "put", "delete"):
        response = getattr(api, method)(path)
        assert response.status_code == 405
        assert "POST" in response["Allow"]
    assert anonymous.post(path).status_code == 401


def test_a_body_is_not_looked_at(api: Client, project: Project) -> None:
    path = f"/api/jobs/{failed(project).public_id}/retry"
    assert api.post(path, "not { json", content_type="text/plain").status_code == 200
