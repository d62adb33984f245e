"""/api/schema and the pages that show it."""

import gzip
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.validation import validate_schema

from novitai.openapi import pages, views
from tests.novitai.refusals import error_of


@pytest.fixture
def schema(anonymous: Client, db: None) -> dict[str, Any]:
    document: dict[str, Any] = anonymous.get("/api/schema").json()
    return document


def test_the_document_is_valid(schema: dict[str, Any]) -> None:
    validate_schema(schema)  # type: ignore[no-untyped-call]


def test_nothing_in_it_is_doubtful_to_the_generator() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")


def test_every_operation_has_a_summary_a_tag_and_its_errors(schema: dict[str, Any]) -> None:
    for path, item in schema["paths"].items():
        for operation in item.values():
            assert operation["summary"]
            assert operation["tags"]
            if path.startswith("/api/"):
                assert operation["security"] == [{"apiKey": []}]
                error = operation["responses"]["401"]["content"]["application/json"]["schema"]
                assert error == {"$ref": "#/components/schemas/ErrorResponse"}


def test_an_operation_that_refuses_says_why_in_the_one_form(schema: dict[str, Any]) -> None:
    operation = schema["paths"]["/api/jobs/{id}/retry"]["post"]
    assert "requestBody" not in operation
    refusals = {"400", "401", "403", "404", "406", "409", "413", "415", "422", "429", "500", "503"}
    assert set(operation["responses"]) == {"200", *refusals}
    refusal = operation["responses"]["409"]
    assert "JOB_NOT_REDRIVABLE" in refusal["description"]
    error = refusal["content"]["application/json"]["schema"]
    assert error == {"$ref": "#/components/schemas/ErrorResponse"}


def test_the_request_says_the_rules_that_are_enforced(schema: dict[str, Any]) -> None:
    fields = schema["components"]["schemas"]["CreateInstanceRequest"]["properties"]
    assert fields["name"]["pattern"] == "^[a-zA-Z0-9_-]+$"
    assert (fields["gpuNum"]["minimum"], fields["gpuNum"]["maximum"]) == (1, 8)
    assert [kind["type"] for kind in fields["templateId"]["oneOf"]] == ["string", "integer"]


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc"])
def test_the_pages_load_only_what_is_served_here(anonymous: Client, db: None, path: str) -> None:
    response = anonymous.get(path)
    page = response.content.decode()
    assert "http://" not in page
    assert "https://" not in page
    # The policy allows no inline script, so that there must be none.
    assert not re.search(r"<script(?![^>]*src=)[^>]*>", page)
    assets = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert assets
    for asset in assets:
        file = anonymous.get(asset)
        assert file.status_code == 200, asset
        file.close()


def test_redoc_shows_no_picture_from_elsewhere(anonymous: Client) -> None:
    answer = anonymous.get("/api/redoc/redoc.js")
    script = answer.content.decode()
    assert re.findall(r'"img",\{[^}]*src:"([^"]*)"', script) == ["data:,"]
    assert "//cdn." not in script
    again = anonymous.get("/api/redoc/redoc.js", headers={"if-none-match": answer["ETag"]})
    assert again.status_code == 304
    assert answer["Cache-Control"] == again["Cache-Control"] == "public, max-age=60"


def test_the_front_door_leads_to_the_docs(anonymous: Client, db: None) -> None:
    assert anonymous.get("/")["Location"] == "/api/docs"


def test_the_schema_is_compressed_and_known_by_its_etag(anonymous: Client) -> None:
    first = anonymous.get("/api/schema")
    again = anonymous.get("/api/schema", headers={"accept-encoding": "br, gzip;q=0.5"})
    assert again["Content-Encoding"] == "gzip"
    assert gzip.decompress(again.content) == first.content
    assert len(again.content) < len(first.content) / 5
    for answer, coding in ((first, "identity"), (again, "gzip")):
        assert "Accept-Encoding" in answer["Vary"]
        headers = {"if-none-match": answer["ETag"], "accept-encoding": coding}
        known = anonymous.get("/api/schema", headers=headers)
        assert (known.status_code, known.content) == (304, b"")
    assert first["ETag"] != again["ETag"]
    assert first["Cache-Control"] == "public, max-age=60"


def test_the_first_requests_make_the_schema_together(monkeypatch: Any) -> None:
    """Nobody is asked for a key here, and making it takes 0.2 s of a processor."""
    views._made_schema.cache_clear()
    views.schema_version.cache_clear()
    made = []
    monkeypatch.setattr(pages, "schema", lambda: made.append(1) or {"openapi": "3.1.0"})
    try:
        with ThreadPoolExecutor(8) as pool:
            bodies = list(pool.map(lambda _: Client().get("/api/schema").json(), range(16)))
    finally:
        views._made_schema.cache_clear()
        views.schema_version.cache_clear()
    assert (bodies, made) == ([{"openapi": "3.1.0"}] * 16, [1])


@pytest.mark.parametrize(
    ("accept", "type_"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
        ("application/yaml, application/json;q=0.1", "application/json"),
        ("application/yaml", None),
        ("application/vnd.oai.openapi, text/yaml", None),
        ("application/json;q=0", None),
    ],
)
def test_the_schema_comes_as_json_only(anonymous: Client, accept: str, type_: str | None) -> None:
    answer = anonymous.get("/api/schema", headers={"accept": accept} if accept else {})
    if type_ is None:
        assert "application/json" in error_of(answer, 406, "NOT_ACCEPTABLE")["message"]
    else:
        assert (answer.status_code, answer["Content-Type"]) == (200, type_)
        assert answer.json()["openapi"] == "3.1.0"
