"""What a request's body may be, and what is said of others."""

import json
from typing import Any

import pytest
from django.test import Client

from instances.models import Instance
from tests.novitai.refusals import error_of

POST: Any = {"content_type": "application/json"}
BODY = {"name": "a", "productName": "b", "templateId": 1}


def made(api: Client, headers: dict[str, str] | None = None) -> str:
    response = api.post("/api/instances", BODY, **POST, headers=headers or {})
    assert response.status_code == 201, response.content
    return str(response.json()["instanceId"])


def test_another_media_type_is_told_what_is_taken(api: Client) -> None:
    text: Any = {"content_type": "text/plain"}
    error = error_of(api.post("/api/instances", "x", **text), 415, "UNSUPPORTED_MEDIA_TYPE")
    assert error["message"] == "The body must be application/json in UTF-8."
    path = f"/api/instances/{made(api)}"
    error = error_of(api.patch(path, "x", **text), 415, "UNSUPPORTED_MEDIA_TYPE")
    forms = "application/json or application/merge-patch+json"
    assert error["message"] == f"The body must be {forms} in UTF-8."


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
        (b'{"a": 1, "a": 2}', '"a" occurs twice'),
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
