"""A browser may send and read every header that our documents tell clients of."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client

from tests.contract.documents import ROOT, document, operations

# What people read, and the programs that they copy.
TEXTS = [
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "api").glob("*.md")),
    ROOT / "README.md",
    *filter(Path.is_file, (ROOT / "client-examples").glob("*/*")),
]
# Headers of requests that a text may tell clients to send to this service; browsers set the others
# (Host, Origin, Accept-Encoding, ...) by themselves or not at all.
REQUEST_HEADERS = {
    *("accept", "authorization", "cache-control", "content-type", "idempotency-key", "if-match"),
    *("if-none-match", "if-modified-since", "last-event-id", "traceparent"),
    *("tracestate", "x-request-id"),
}
# Headers that any page may read of any answer (Fetch standard, CORS-safelisted).
SAFE = {"cache-control", "content-language", "content-length", "content-type", "expires"} | {
    "last-modified",
    "pragma",
}
ORIGIN = "https://app.example"


def told_to_send() -> set[str]:
    """By the OpenAPI document, and by name in a text."""
    parameters = (p for each in operations() for p in each.body.get("parameters", ()))
    told = {p["name"].lower() for p in parameters if p["in"] == "header"}
    words = {word.lower() for path in TEXTS for word in re.findall(r"[\w-]+", path.read_text())}
    # In any case: a bearer key, a body's type, and what clients of event streams send.
    always = {"authorization", "content-type", "accept", "cache-control", "last-event-id"}
    return told | (words & REQUEST_HEADERS) | always | {"traceparent"}


def told_to_read() -> Iterator[str]:
    for operation in operations():
        for response in operation.body["responses"].values():
            yield from (name.lower() for name in response.get("headers", {}))
    yield "allow"


def preflight(api: Client, path: str, method: str, headers: str) -> Any:
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": method,
        "access-control-request-headers": headers,
    }
    return api.options(path, headers=asked)


def test_a_browser_may_send_every_header_that_clients_are_told_to_send() -> None:
    assert told_to_send() <= {name.lower() for name in configured.CORS_ALLOW_HEADERS}


def test_a_browser_may_read_every_header_that_answers_carry() -> None:
    assert set(told_to_read()) <= {name.lower() for name in configured.CORS_EXPOSE_HEADERS} | SAFE


@pytest.mark.parametrize(
    "header", sorted({"last-event-id", "cache-control", "traceparent", "if-match"})
)
def test_a_stream_can_be_resumed_from_a_page(anonymous: Client, settings: Any, header: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    answer = preflight(anonymous, "/api/events/stream", "GET", f"authorization,{header}")
    assert answer.status_code == 200
    allowed = answer["Access-Control-Allow-Headers"].split(", ")
    assert {"authorization", header} <= set(allowed)


def test_the_document_names_no_header_twice() -> None:
    """Two spellings of one name would be two headers to a generated client."""
    for item in document()["paths"].values():
        for operation in item.values():
            names = [
                p["name"].lower() for p in operation.get("parameters", ()) if p["in"] == "header"
            ]
            assert len(names) == len(set(names))
