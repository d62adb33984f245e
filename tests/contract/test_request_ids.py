"""One name for a request, from the caller's header to the call to Novita."""

import re
from typing import Any

import pytest
from django.test import Client

from instances.models import InstanceEvent
from jobs.models import Job
from tests.contract.documents import Operation, operations

MINE = "my-request.1_a"
BODY = {"name": "a", "productName": "b", "templateId": 1}


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.id)
def test_every_answer_returns_the_id_that_it_was_given(api: Client, operation: Operation) -> None:
    options: Any = {"content_type": "application/json", "headers": {"x-request-id": MINE}}
    answer = api.generic(operation.method, operation.example_path(), **options)
    assert answer["X-Request-Id"] == MINE
    if answer.status_code >= 400 and operation.path.startswith("/api/"):
        assert answer.json()["error"]["requestId"] == MINE


@pytest.mark.parametrize("path", ["/", "/api/docs", "/api/redoc", "/api/schema", "/admin/login/"])
def test_pages_return_it_too(anonymous: Client, db: None, path: str) -> None:
    assert anonymous.get(path, headers={"x-request-id": MINE})["X-Request-Id"] == MINE


def test_static_files_return_it_too(anonymous: Client, db: None) -> None:
    path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"
    answer = anonymous.get(path, headers={"x-request-id": MINE})
    assert (answer.status_code, answer["X-Request-Id"]) == (200, MINE)
    answer.close()


def test_it_is_on_every_line_that_the_request_logs(
    api: Client, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    with caplog.at_level("INFO"), django_capture_on_commit_callbacks(execute=True):
        api.post(
            "/api/instances",
            BODY,
            content_type="application/json",
            headers={"x-request-id": MINE},
        )
    lines: list[Any] = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    requests = [line for line in lines if line["event"] == "http_request"]
    assert [line["request_id"] for line in requests] == [MINE]
    for line in lines:
        assert line.get("request_id", MINE) == MINE


@pytest.mark.parametrize("verb", ["", "terminate"])
def test_it_stands_on_the_events_and_the_jobs_of_the_request(api: Client, verb: str) -> None:
    options: Any = {"content_type": "application/json", "headers": {"x-request-id": MINE}}
    id_ = api.post("/api/instances", BODY, **options).json()["instanceId"]
    if verb:
        options["headers"] = {"x-request-id": "second"}
        api.delete(f"/api/instances/{id_}", **options)
    expected = {MINE, "second"} if verb else {MINE}
    assert set(InstanceEvent.objects.values_list("request_id", flat=True)) == expected
    told = {
        event["requestId"] for event in api.get(f"/api/instances/{id_}/events").json()["events"]
    }
    assert told == expected
    assert set(Job.objects.values_list("request_id", flat=True)) <= expected


def test_an_id_of_our_own_making_is_as_good(api: Client) -> None:
    answer = api.post("/api/instances", BODY, content_type="application/json")
    assert re.fullmatch(r"req_[0-9a-f]{24}", answer["X-Request-Id"])
    assert InstanceEvent.objects.get().request_id == answer["X-Request-Id"]
