"""One table marks the schema and answers with the headers."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from django.test import Client

from novitai.rest import deprecations
from novitai.rest.deprecations import Deprecation
from tests.contract.documents import document

OPERATION = Deprecation(
    method="GET",
    path="/api/jobs/{id}",
    since=date(2026, 1, 1),
    sunset=date(2026, 9, 1),
    instead="Use GET /api/work.",
    link="https://docs.example/upgrade",
)
FIELD = Deprecation(
    method="POST",
    path="/api/instances",
    since=date(2026, 1, 1),
    sunset=date(2026, 9, 1),
    instead="Use hookUrl.",
    schema="CreateInstanceRequest",
    field="webhookUrl",
)
Use = Callable[..., None]


@pytest.fixture
def deprecate(monkeypatch: pytest.MonkeyPatch) -> Use:
    def use(*rows: Deprecation) -> None:
        monkeypatch.setattr(deprecations, "DEPRECATIONS", rows)

    return use


def test_every_answer_of_a_deprecated_operation_says_so_refusals_too(
    api: Client, anonymous: Client, deprecate: Use
) -> None:
    deprecate(OPERATION)
    for answer in (api.get("/api/jobs/job_1"), anonymous.get("/api/jobs/job_1")):
        assert answer.status_code in (401, 404)
        assert answer["Deprecation"] == f"@{int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())}"
        assert answer["Sunset"] == "Tue, 01 Sep 2026 00:00:00 GMT"
        assert parsedate_to_datetime(answer["Sunset"]) == datetime(2026, 9, 1, tzinfo=UTC)
        assert '<https://docs.example/upgrade>; rel="deprecation"' in answer["Link"]
        assert '<https://docs.example/upgrade>; rel="sunset"' in answer["Link"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", "/api/jobs"), ("post", "/api/jobs/job_1"), ("get", "/nope"), ("get", "/livez")],
)
def test_other_operations_say_nothing(api: Client, deprecate: Use, method: str, path: str) -> None:
    deprecate(OPERATION, FIELD)
    answer = getattr(api, method)(path)
    assert not {"Deprecation", "Sunset", "Link"} & set(answer.headers)


def test_a_deprecated_field_is_told_by_its_operation(api: Client, deprecate: Use) -> None:
    deprecate(FIELD)
    assert "Deprecation" in api.post("/api/instances", {}, content_type="application/json")
    assert "Deprecation" not in api.get("/api/instances")


def test_the_schema_marks_both(deprecate: Use) -> None:
    told = document()
    deprecations.mark(told, [OPERATION, FIELD])
    operation: dict[str, Any] = told["paths"]["/api/jobs/{id}"]["get"]
    assert operation["deprecated"] is True
    assert operation["description"].endswith("gone on 2026-09-01. Use GET /api/work.")
    field = told["components"]["schemas"]["CreateInstanceRequest"]["properties"]["webhookUrl"]
    assert field["deprecated"] is True
    assert "deprecated" not in told["paths"]["/api/instances"]["post"]


def test_a_row_about_what_there_is_not_is_noticed() -> None:
    for row in (
        Deprecation("GET", "/nope", date(2026, 1, 1), date(2026, 9, 1), ""),
        Deprecation("PUT", "/livez", date(2026, 1, 1), date(2026, 9, 1), ""),
    ):
        with pytest.raises(KeyError):
            deprecations.mark(document(), [row])


def test_the_table_keeps_the_policy() -> None:
    for row in deprecations.DEPRECATIONS:
        assert (row.sunset - row.since).days >= 180
        assert row.instead
    deprecations.mark(document())
