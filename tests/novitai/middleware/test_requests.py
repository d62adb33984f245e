"""Request ids, logs, headers and body limits."""

from typing import Any

import pytest
from django.test import Client


def test_a_usable_request_id_comes_back(anonymous: Client) -> None:
    response = anonymous.get("/livez", headers={"x-request-id": "My.Id_1-2"})
    assert response["X-Request-Id"] == "My.Id_1-2"


@pytest.mark.parametrize("given", ["", "a b", "a\nb", "é", "a" * 81, "<script>", "a;b", "nvt_k1"])
def test_an_unusable_request_id_is_replaced(anonymous: Client, given: str) -> None:
    first = anonymous.get("/livez", headers={"x-request-id": given})["X-Request-Id"]
    second = anonymous.get("/livez", headers={"x-request-id": given})["X-Request-Id"]
    assert first.startswith("req_")
    assert first != second


def logged(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    lines: list[Any] = [record.msg for record in caplog.records]
    (line,) = [x for x in lines if isinstance(x, dict) and x.get("event") == "http_request"]
    return dict(line)


def test_a_request_is_one_line_with_route_and_caller_and_no_secret(
    api: Client, api_key: str, project: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        response = api.get("/api/instances/inst_12?secret=hunter2")
    line = logged(caplog)
    assert line["route"] == "api/instances/<str:id>"
    assert (line["method"], line["status"]) == ("GET", 404)
    assert line["project"] == project.public_id
    assert line["api_key"].startswith("key_")
    assert line["request_id"] == response["X-Request-Id"]
    assert line["duration_ms"] >= 0
    assert "hunter2" not in str(line)
    assert api_key not in str(line)


def test_an_address_that_is_none_of_ours_is_not_logged_either(
    anonymous: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        anonymous.get("/password/hunter2")
    assert logged(caplog)["route"] == "unmatched"


@pytest.mark.parametrize("path", ["/api/instances", "/health", "/nope", "/livez"])
def test_answers_of_the_api_run_nothing_and_are_kept_nowhere(api: Client, path: str) -> None:
    response = api.get(path)
    assert response["Content-Security-Policy"].startswith("default-src 'none'")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cache-Control"] == "no-store"
    assert response["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc", "/admin/login/"])
def test_pages_run_only_what_comes_from_here(anonymous: Client, db: None, path: str) -> None:
    response = anonymous.get(path)
    assert response.status_code == 200
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "script-src" not in policy
    assert "http" not in policy


def test_browsers_may_call_from_configured_origins_only(api: Client, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    ask = {"access-control-request-method": "POST"}
    good = api.options("/api/instances", headers={"origin": "https://app.example", **ask})
    assert good["Access-Control-Allow-Origin"] == "https://app.example"
    bad = api.options("/api/instances", headers={"origin": "https://evil.example", **ask})
    assert not bad.has_header("Access-Control-Allow-Origin")
