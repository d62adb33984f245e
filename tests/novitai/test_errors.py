"""One error format, whoever refuses."""

import json
import logging
import re
from io import StringIO
from typing import Any, cast

import pytest
from django.db import OperationalError
from django.test import Client

from instances.models import Instance
from novitai.errors import CODES
from tests.conftest import client_of

POST: Any = {"content_type": "application/json"}


def error_of(response: Any, status: int, code: str) -> dict[str, Any]:
    """The error of an answer, after checking everything that all of them have."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    body = json.loads(response.content)
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    always = {"code", "message", "retryable", "timestamp", "requestId"}
    assert always <= set(error) <= always | {"suggestion", "details", "validationErrors"}
    assert error["code"] == code
    assert error["retryable"] is CODES[code].retryable
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", error["timestamp"])
    assert error["requestId"] == response["X-Request-Id"]
    return error


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
            assert error["message"] == "There is nothing at this address."
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


def test_another_media_type_is_told_what_is_taken(api: Client) -> None:
    text: Any = {"content_type": "text/plain"}
    error = error_of(api.post("/api/instances", "x", **text), 415, "UNSUPPORTED_MEDIA_TYPE")
    assert error["message"] == "The body must be application/json in UTF-8."
    path = f"/api/instances/{made(api)}"
    error = error_of(api.patch(path, "x", **text), 415, "UNSUPPORTED_MEDIA_TYPE")
    forms = "application/json or application/merge-patch+json"
    assert error["message"] == f"The body must be {forms} in UTF-8."


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


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "x",
        "application/json; charset=latin-1",
    ],
)
def test_other_media_types_are_refused(api: Client, content_type: str) -> None:
    response = api.generic("POST", "/api/instances", b'{"name": "a"}', content_type=content_type)
    error_of(response, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, GZIP", "x" * 500])
def test_a_body_that_is_coded_is_refused_and_told_what_is_taken(api: Client, coding: str) -> None:
    for method, path in (("POST", "/api/instances"), ("PATCH", f"/api/instances/{made(api)}")):
        headers = {"content-encoding": coding}
        response = api.generic(method, path, b"{}", **POST, headers=headers)
        error = error_of(response, 415, "UNSUPPORTED_MEDIA_TYPE")
        assert response["Accept-Encoding"] == "identity"
        assert coding[:40] in error["message"]
        assert len(error["message"]) < 150


@pytest.mark.parametrize("coding", ["", "identity", "Identity , identity"])
def test_a_body_that_is_not_coded_may_say_so(api: Client, coding: str) -> None:
    made(api, {"content-encoding": coding})


def test_a_coding_without_a_body_says_nothing(api: Client) -> None:
    answer = api.get("/api/instances", headers={"content-encoding": "gzip"})
    assert answer.status_code == 200


def made(api: Client, headers: dict[str, str] | None = None) -> str:
    response = api.post("/api/instances", BODY, **POST, headers=headers or {})
    assert response.status_code == 201, response.content
    return str(response.json()["instanceId"])


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


def test_a_body_over_the_limit_is_refused_by_its_announced_length(
    api: Client, settings: Any
) -> None:
    limit = settings.CONFIG.max_body_bytes
    response = api.post("/api/instances", b" " * (limit + 1), **POST)
    error = error_of(response, 413, "PAYLOAD_TOO_LARGE")
    assert str(limit) in error["message"]
    error_of(api.post("/api/instances", b" " * limit, **POST), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "line 1, column 2"),
        (b'{"name": nope}', "line 1, column 10"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 101 + b"}", "longer than 100"),
        (b'{"a": ' + b"9" * 5000 + b"}", "longer than 100"),
        (b'{"a": 1, "a": 2}', '"a" stands twice'),
        (b"[" * 100_000, "nested deeper than 32 levels at character 33"),
        (b'{"a":' * 33, "nested deeper than 32 levels"),
        (b"\xff\xfe", "byte 0"),
        (b'{"name": "\xe9"}', "byte 10"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"\\ud800": 1}', "U+D800"),
        (b'["\\u0000"]', "U+0000"),
        (b'"' * 200_000, "line 1"),
        (b'{"a": "b\nc"}', "line 1, column 9"),
        (b"'a'", "line 1, column 1"),
        (b"{} {}", "line 1, column 4"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bodies_that_are_no_strict_json_are_refused_with_the_place(
    api: Client, body: bytes, said: str
) -> None:
    response = api.post("/api/instances", body, **POST)
    error = error_of(response, 400, "VALIDATION_ERROR")
    (entry,) = error["validationErrors"]
    assert entry["field"] == "body"
    assert said in entry["message"]
    assert not Instance.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"name": "a\\ud800"}', "name"),
        (b'{"name": "\\udc00a"}', "name"),
        (b'{"webhookUrl": {"deep": ["a\\u0000"]}}', "webhookUrl"),
    ],
)
def test_text_that_cannot_be_stored_is_refused_at_its_field(
    api: Client, body: bytes, field: str
) -> None:
    error = error_of(api.post("/api/instances", body, **POST), 400, "VALIDATION_ERROR")
    assert [entry["field"] for entry in error["validationErrors"]] == [field]


def test_brackets_within_strings_are_no_nesting(api: Client) -> None:
    body = json.dumps({"name": '[{"\\' * 20})
    error = error_of(api.post("/api/instances", body, **POST), 400, "VALIDATION_ERROR")
    assert error["validationErrors"][0]["field"] == "name"


def test_pairs_of_surrogates_are_characters_like_others(api: Client) -> None:
    body = b'{"name": "a", "productName": "\\ud83d\\ude00", "templateId": 1}'
    assert api.post("/api/instances", body, **POST).status_code == 201


def _break(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr("instances.services.create_instance", fail)


BODY = {"name": "a", "productName": "b", "templateId": 1}


def test_a_bug_is_a_500_without_a_word_of_it_and_its_traceback_is_in_the_log(
    api: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _break(monkeypatch, RuntimeError("hunter2 leaked"))
    response = api.post("/api/instances", BODY, **POST)
    error_of(response, 500, "INTERNAL_SERVER_ERROR")
    assert b"hunter2" not in response.content
    assert b"Traceback" not in response.content
    (record,) = [r for r in caplog.records if "unhandled_exception" in str(r.msg)]
    line: Any = record.msg
    assert line["request_id"] == response["X-Request-Id"]
    assert "hunter2" in str(line["exc_info"])


def test_a_lost_database_is_a_503_that_says_to_come_back(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break(monkeypatch, OperationalError("server closed the connection, password=hunter2"))
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
    error_of(anonymous.get("/admin/login/"), 503, "SERVICE_UNAVAILABLE")


def test_a_form_without_its_token_is_forbidden(db: None) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    error_of(client.post("/admin/login/", {"username": "a"}), 403, "FORBIDDEN")


@pytest.mark.parametrize("path", ["/admin/login/", "/api/instances", "/nope"])
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
