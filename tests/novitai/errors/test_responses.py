"""One error format, whoever refuses."""

import json
import logging
from io import StringIO
from typing import Any, cast

import pytest
from django.db import OperationalError
from django.test import Client

from tests.conftest import client_of
from tests.novitai.refusals import error_of
from tests.support.refusals import failing_statements

POST: Any = {"content_type": "application/json"}


@pytest.mark.parametrize(
    "path",
    [
        *("/nope", "/apis", "/api//", "/api/nope", "/api/nope/", "/api/instances/", "/%00"),
        *("/api/instances/a/b", "/api/%00", "/docs/", "/api/docs/"),
    ],
)
def test_unknown_addresses(api: Client, anonymous: Client, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS", "BREW"):
        for client in (api, anonymous):
            response = client.generic(method, path, headers={"accept": "text/html"})
            error = error_of(response, 404, "NOT_FOUND")
            assert error["message"] == "This path does not exist."
            assert not response.has_header("Allow")


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_who_knows_the_host_alone_is_shown_the_way(anonymous: Client, path: str) -> None:
    browser = anonymous.get(path, headers={"accept": BROWSER})
    assert (browser.status_code, browser["Location"]) == (302, "/api/docs")
    for accept in ("", "*/*", "application/json"):
        program = anonymous.get(path, headers={"accept": accept})
        assert program.json()["schema"] == "/api/schema"
        assert "Accept" in program["Vary"]
        for place in ("docs", "redoc", "schema"):
            assert anonymous.get(program.json()[place]).status_code == 200
    error_of(anonymous.post(path), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_documentation_is_found_without_api_too(anonymous: Client, path: str) -> None:
    assert anonymous.get(path)["Location"] == "/api/docs"
    error_of(anonymous.post(path), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/api/instances", "/api/jobs/job_1", "/health", "/livez"])
def test_wrong_methods_name_the_right_ones(api: Client, method: str, path: str) -> None:
    response = getattr(api, method)(path, "{}", **POST)
    error_of(response, 405, "METHOD_NOT_ALLOWED")
    assert "GET" in response["Allow"]


def test_an_invented_method_is_not_allowed_either(api: Client) -> None:
    error_of(api.generic("BREW", "/api/instances"), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/instances", "GET, POST, HEAD"),
        ("BREW" * 9, "/api/instances/inst_1", "GET, PATCH, DELETE, HEAD"),
        ("GET", "/api/jobs/job_1/retry", "POST"),
        ("POST", "/api/docs", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones_in_words(
    api: Client, method: str, path: str, allowed: str
) -> None:
    error = error_of(api.generic(method, path), 405, "METHOD_NOT_ALLOWED")
    assert error["message"] == f"{method[:20]} is not allowed here; allowed: {allowed}."


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("/api/instances?billingMode=x", "must be one of: spot, onDemand"),
        ("/api/instances?status=", "must not be empty"),
        (f"/api/instances?name={'x' * 101}", "must be at most 100 characters"),
        (f"/api/instances?{'&tag=x' * 21}", "may be given at most 20 times"),
        ("/api/products?available=yes", "must be one of: true, false"),
        ("/api/products?sort=name", "must be one of: price, -price"),
        ("/api/jobs?minAgeSeconds=x", "must be an integer between 0 and 1000000000"),
        ("/api/jobs?maxAgeSeconds=-1", "must be an integer between 0 and 1000000000"),
        (f"/api/jobs?maxAgeSeconds={'9' * 2000}", "must be an integer between 0 and 1000000000"),
        ("/api/jobs?instance=", "must not be empty"),
        (f"/api/events/stream?instance={'x' * 61}", "must be at most 60 characters"),
    ],
)
def test_a_wrong_parameter_is_told_in_plain_words_what_it_may_be(
    api: Client, query: str, message: str
) -> None:
    error = error_of(api.get(query), 400, "VALIDATION_ERROR")
    assert [entry["message"] for entry in error["validationErrors"]] == [message]


def test_a_caller_who_takes_no_json_is_told(api: Client) -> None:
    response = api.get("/api/instances", headers={"accept": "text/html"})
    error_of(response, 406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "application/json",
        "APPLICATION/JSON; Q=0.001",
        "text/html, application/*;q=0.2",
        "application/json;q=0, application/json",
        "application/json; indent=4",
        "image/*;q=1, */*;q=0.1",
        "nonsense, */*",
    ],
)
def test_whoever_takes_json_in_any_way_gets_it(api: Client, accept: str) -> None:
    response = api.get("/api/instances", headers={"accept": accept})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert b"\n" not in response.content


@pytest.mark.parametrize(
    "accept",
    [
        "application/json;q=0",
        "application/json; q=0.000, text/html",
        "application/json;q=0, */*",
        "application/*;q=0, */*;q=1",
        "*/*;q=0",
        "nonsense",
        "text/*",
    ],
)
def test_whoever_refuses_json_does_not_get_it(api: Client, accept: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        response = api.generic(method, "/api/instances", headers={"accept": accept})
        assert response.status_code == 406
        assert response["Content-Type"] == "application/json"


def test_all_errors_are_written_alike(api: Client, anonymous: Client) -> None:
    """By REST framework, by Django and by a middleware."""
    too_long = b" " * 2_000_000
    for answer in (
        api.get("/api/instances/none"),
        anonymous.get("/api/instances"),
        anonymous.get("/nope"),
        api.post("/api/instances", too_long, **POST),
        anonymous.post("/api/docs"),
    ):
        body = json.loads(answer.content)
        assert answer.content == json.dumps(body, separators=(",", ":")).encode()


@pytest.mark.parametrize("query", ["?format=xml", "?format=api"])
def test_no_format_parameter_changes_the_answer(api: Client, query: str) -> None:
    error_of(api.get(f"/api/instances{query}"), 400, "VALIDATION_ERROR")


BODY = {"name": "a", "productName": "b", "templateId": 1}


def test_a_bug_is_a_500_without_a_word_of_it_and_its_traceback_is_in_the_log(
    api: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with failing_statements("instances_instance", RuntimeError("hunter2 leaked")):
        response = api.post("/api/instances", BODY, **POST)
    error_of(response, 500, "INTERNAL_SERVER_ERROR")
    assert b"hunter2" not in response.content
    assert b"Traceback" not in response.content
    (record,) = [r for r in caplog.records if "unhandled_exception" in str(r.msg)]
    line: Any = record.msg
    assert line["request_id"] == response["X-Request-Id"]
    assert "hunter2" in str(line["exc_info"])


def test_a_lost_database_is_a_503_that_says_to_come_back(api: Client) -> None:
    lost = OperationalError("server closed the connection, password=hunter2")
    with failing_statements("instances_instance", lost):
        response = api.post("/api/instances", BODY, **POST)
    error_of(response, 503, "SERVICE_UNAVAILABLE")
    assert response["Retry-After"] == "5"
    assert b"hunter2" not in response.content


def test_a_lost_database_is_a_503_in_the_admin_too(
    anonymous: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("django.contrib.admin.sites.AdminSite.each_context", fail)
    answer = anonymous.get("/admin/login/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/api/instances", "/nope"])
@pytest.mark.parametrize("host", ["wrong.example", "a b", "<script>", "right.example:x"])
def test_another_host_name_is_a_bad_request_and_one_line_in_the_log(
    api_key: str, settings: Any, path: str, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["right.example"]
    (handler,) = (h for h in logging.getLogger().handlers if h.name == "stderr")
    written = StringIO()
    before = cast("logging.StreamHandler[Any]", handler).setStream(written)
    try:
        wrong = client_of(api_key).get(path, headers={"host": host})
    finally:
        cast("logging.StreamHandler[Any]", handler).setStream(before)
    assert error_of(wrong, 400, "BAD_REQUEST")["message"].startswith("The Host header")
    lines = [line for line in written.getvalue().splitlines() if "http_request" not in line]
    assert [line for line in lines if "Host" in line or "HOST" in line] == lines
    assert len(lines) == 1


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc", "/api/schema", "/livez", "/health"])
@pytest.mark.parametrize("method", ["put", "patch", "delete", "post", "options"])
def test_pages_to_read_refuse_all_else_in_the_one_format(
    anonymous: Client, db: None, path: str, method: str
) -> None:
    answer = getattr(anonymous, method)(path)
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
    assert "GET" in answer["Allow"]


def test_options_without_a_preflight_is_refused_and_not_an_error(api: Client) -> None:
    for path in ("/api/instances", "/api/jobs"):
        answer = api.options(path)
        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


LOG_IN = "/admin/login/"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"origin": "https://gpu.example"}, ["FORWARDED_ALLOW_IPS", "CSRF_TRUSTED_ORIGINS"]),
        ({"origin": "null"}, ["X-Forwarded-Proto", "http://testserver"]),
        ({}, ["https only", "no X-Forwarded-Proto"]),
        ({"x-forwarded-proto": "HTTPS"}, ["https only", "HTTPS", "lower case"]),
        (
            {"origin": "https://gpu.example", "x-forwarded-proto": "https,http"},
            ["https,http", "only the value https", "FORWARDED_ALLOW_IPS"],
        ),
        (
            {"origin": "https://gpu.example", "x-forwarded-proto": "<b>" + "x" * 4_000},
            ["&lt;b&gt;" + "x" * 37, "only the value https"],
        ),
    ],
)
def test_a_form_refused_by_a_mistake_of_the_proxy_names_the_settings_that_mend_it(
    db: None, settings: Any, headers: dict[str, str], words: list[str]
) -> None:
    settings.CSRF_COOKIE_SECURE = True
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    page = client.post(LOG_IN, {"username": "a"}, headers=headers)
    assert page.status_code == 403
    for word in words:
        assert word in page.content.decode()


def test_an_old_form_is_told_as_old(db: None) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.get(LOG_IN)
    page = client.post(LOG_IN, {"username": "a", "csrfmiddlewaretoken": "x" * 32})
    assert (page.status_code, "has expired" in page.content.decode()) == (403, True)
