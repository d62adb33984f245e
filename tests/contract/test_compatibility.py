"""No release breaks callers of the two minor versions before it, and a break would be noticed."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from novitai import VERSION
from tests.contract.compatibility import breaking_changes
from tests.contract.documents import ROOT, document

SCHEMAS = ROOT / "docs" / "api" / "schemas"
# What the service refused all along, and its schema did not say; by what the line ends with.
SAID_MORE_EXACTLY = {
    "request.maxPricePerHourUsd alternative 2: minimum none became 1e-05",
    "request.templateId alternative 2: maximum none became 9007199254740991",
    "request.webhookUrl: pattern none became ^https?://",
    "POST /api/instances request: other properties no longer taken",
    "GET /api/jobs parameter limit: minimum none became 1",
    "GET /api/jobs parameter limit: maximum none became 100",
}
# What a plan may not answer any more, since an Idempotency-Key claims nothing there.
SAID_MORE_EXACTLY |= {
    "POST /api/instances/plan 409: removed",
    "POST /api/instances/plan 422: removed",
    "POST /api/instances/plan 200 header Idempotent-Replayed: removed",
}
# Called a string; each message of the stream is described now.
SAID_MORE_EXACTLY.add("GET /api/events/stream 200: object may come now")
# More types of jobs are taken.
SAID_MORE_EXACTLY_OF_JOBS = "GET /api/jobs parameter type: pattern ^(create_instance|"
# Forms that would be long to repeat. A key with a comma was taken, and was one of two requests
# where a proxy had joined two headers; tags that a proxy marked as weak are taken now.
FORMS_SAID_MORE_EXACTLY = {
    "POST /api/instances parameter Idempotency-Key: pattern",
    "POST /api/instances/{id}/restart parameter Idempotency-Key: pattern",
    "POST /api/instances/{id}/start parameter Idempotency-Key: pattern",
    "POST /api/instances/{id}/stop parameter Idempotency-Key: pattern",
    "POST /api/jobs/{id}/cancel parameter Idempotency-Key: pattern",
    "POST /api/jobs/{id}/retry parameter Idempotency-Key: pattern",
    "DELETE /api/instances/{id} parameter If-",
    "GET /api/instances/{id} parameter If-",
    "PATCH /api/instances/{id} parameter If-",
    "POST /api/instances/{id}/restart parameter If-",
    "POST /api/instances/{id}/start parameter If-",
    "POST /api/instances/{id}/stop parameter If-",
    "POST /api/instances request.maxPricePerHourUsd alternative 1: pattern",
    "POST /api/instances request.productName: pattern none",
    "POST /api/instances request.templateId alternative 1: pattern none",
    "GET /api/jobs parameter instance: pattern none",
    "GET /api/jobs parameter status: pattern none",
    "GET /api/jobs parameter type: pattern none",
    SAID_MORE_EXACTLY_OF_JOBS,
}


def version_of(name: str) -> tuple[int, ...]:
    return tuple(map(int, name.split(".")))


def earlier_versions() -> list[str]:
    """Of the same major version, two minor versions back."""
    now = version_of(VERSION)
    found = sorted((path.stem for path in SCHEMAS.glob("*.json")), key=version_of)
    return [v for v in found if version_of(v)[0] == now[0] and version_of(v) < now][-2:]


def is_known(line: str) -> bool:
    ends = any(line.endswith(known) for known in SAID_MORE_EXACTLY)
    return ends or any(line.startswith(known) for known in FORMS_SAID_MORE_EXACTLY)


@pytest.mark.parametrize("version", earlier_versions())
def test_callers_of_an_earlier_version_can_go_on(version: str) -> None:
    before = json.loads((SCHEMAS / f"{version}.json").read_text())
    assert before["info"]["version"] == version
    broken = [line for line in breaking_changes(before, document()) if not is_known(line)]
    assert broken == []


def test_there_is_an_earlier_version_to_compare_with() -> None:
    assert earlier_versions()


def test_nothing_breaks_where_nothing_changes() -> None:
    assert breaking_changes(document(), document()) == []


Change = Callable[[dict[str, Any]], Any]
POST = ("paths", "/api/instances", "post")
GET = ("paths", "/api/instances/{id}", "get")
LIST = ("paths", "/api/jobs", "get")
CREATE = ("components", "schemas", "CreateInstanceRequest")
REGIONS = ("components", "schemas", "RegionEnum", "enum")
DETAILS = ("components", "schemas", "InstanceDetails")


def at(told: dict[str, Any], *path: Any) -> Any:
    for step in path:
        told = told[step]
    return told


def parameter(told: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(p for p in at(told, *LIST)["parameters"] if p["name"] == name)
    return found


NEW_PARAMETER = {"name": "tag", "in": "query", "schema": {"type": "string"}}
NEW_FIELD = {"type": "string"}

BREAKING: dict[str, tuple[Change, str]] = {
    "path removed": (lambda d: d["paths"].pop("/api/jobs"), "GET /api/jobs: removed"),
    "operation removed": (
        lambda d: at(d, "paths", "/api/instances").pop("get"),
        "GET /api/instances: removed",
    ),
    "operationId changed": (lambda d: at(d, *GET).update(operationId="fetch"), "operationId"),
    "a key is needed": (
        lambda d: at(d, "paths", "/health", "get").update(security=[{"apiKey": []}]),
        "needs a key",
    ),
    "parameter removed": (
        lambda d: at(d, *LIST)["parameters"].remove(parameter(d, "status")),
        "parameter status: removed",
    ),
    "parameter required": (
        lambda d: parameter(d, "status").update(required=True),
        "parameter status: required",
    ),
    "new required parameter": (
        lambda d: at(d, *LIST)["parameters"].append({**NEW_PARAMETER, "required": True}),
        "parameter tag: new and required",
    ),
    "parameter bound tightened": (
        lambda d: parameter(d, "limit")["schema"].update(maximum=50),
        "maximum 100 became 50",
    ),
    "request field removed": (
        lambda d: at(d, *CREATE, "properties").pop("webhookUrl"),
        "webhookUrl: removed",
    ),
    "request field required": (
        lambda d: at(d, *CREATE, "required").append("region"),
        "region: required now",
    ),
    "new required request field": (
        lambda d: (
            at(d, *CREATE, "properties").update(owner=NEW_FIELD),
            at(d, *CREATE, "required").append("owner"),
        ),
        "owner: new and required",
    ),
    "request type narrowed": (
        lambda d: at(d, *CREATE, "properties", "templateId", "oneOf").pop(),
        "templateId: integer no longer taken",
    ),
    "request number narrowed": (
        lambda d: at(d, *CREATE, "properties", "gpuNum").update(type="string"),
        "gpuNum: integer, null no longer taken",
    ),
    "request enum value removed": (
        lambda d: at(d, *REGIONS).pop(),
        "region: EU-WEST-01 no longer taken",
    ),
    "request enum introduced": (
        lambda d: at(d, *CREATE, "properties", "productName").update(enum=["A100"]),
        "productName: any other no longer taken",
    ),
    "request bound raised": (
        lambda d: at(d, *CREATE, "properties", "rootfsSize").update(minimum=30),
        "minimum 20 became 30",
    ),
    "request form changed": (
        lambda d: at(d, *CREATE, "properties", "name").update(pattern="^[a-z]+$"),
        "name: pattern",
    ),
    "body required": (
        lambda d: at(d, "paths", "/api/instances/{id}/stop", "post").update(
            requestBody={"required": True, "content": {}}
        ),
        "a body is required now",
    ),
    "request body gone": (lambda d: at(d, *POST).pop("requestBody"), "takes no body any more"),
    "request media type gone": (
        lambda d: at(d, *POST, "requestBody", "content").pop("application/json"),
        "application/json: removed",
    ),
    "success status gone": (lambda d: at(d, *POST, "responses").pop("201"), "201: removed"),
    "response header gone": (
        lambda d: at(d, *POST, "responses", "201", "headers").pop("Location"),
        "header Location: removed",
    ),
    "response field removed": (
        lambda d: at(d, *DETAILS, "properties").pop("readyAt"),
        "readyAt: removed",
    ),
    "response field optional": (
        lambda d: at(d, *DETAILS, "required").remove("status"),
        "status: no longer always there",
    ),
    "response type changed": (
        lambda d: at(d, *DETAILS, "properties", "gpuNum").update(type="string"),
        "gpuNum: string may come now",
    ),
    "response may be null": (
        lambda d: at(d, *DETAILS, "properties", "name").update(type=["string", "null"]),
        "name: null may come now",
    ),
    "field deep in a list removed": (
        lambda d: at(d, "components", "schemas", "PortMapping", "properties").pop("endpoint"),
        "portMappings[].endpoint: removed",
    ),
    "error loses its code": (
        lambda d: at(d, "components", "schemas", "ErrorDetail", "properties").pop("code"),
        "error.code: removed",
    ),
    "webhook gone": (
        lambda d: d["webhooks"].pop("instance.running"),
        "POST instance.running: removed",
    ),
    "webhook loses a field": (
        lambda d: at(d, "components", "schemas", "WebhookMessage", "properties").pop("sequence"),
        "sequence: removed",
    ),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_planted_breaking_change_is_noticed(name: str) -> None:
    change, said = BREAKING[name]
    after = deepcopy(document())
    change(after)
    found = breaking_changes(document(), after)
    assert any(said in line for line in found), found


def test_refusing_other_properties_is_noticed() -> None:
    before = deepcopy(document())
    at(before, *CREATE).pop("additionalProperties")
    assert breaking_changes(before, document()) == [
        "POST /api/instances request: other properties no longer taken"
    ]


HARMLESS: dict[str, Change] = {
    "new operation": lambda d: d["paths"].update({"/api/new": deepcopy(d["paths"]["/livez"])}),
    "new optional parameter": lambda d: at(d, *LIST)["parameters"].append(NEW_PARAMETER),
    "new optional request field": lambda d: at(d, *CREATE, "properties").update(owner=NEW_FIELD),
    "new response field": lambda d: at(d, *DETAILS, "properties").update(owner=NEW_FIELD),
    "response field always there": lambda d: at(d, *DETAILS, "required").append("readyAt"),
    "new status in answers": lambda d: at(d, "components", "schemas", "InstanceStatus")[
        "enum"
    ].append("resting"),
    "new region": lambda d: at(d, *REGIONS).append("AP-EAST-01"),
    "request bound widened": lambda d: at(d, *CREATE, "properties", "gpuNum").update(maximum=16),
    "request bound lifted": lambda d: at(d, *CREATE, "properties", "name").pop("maxLength"),
    "request field optional": lambda d: at(d, *CREATE, "required").remove("templateId"),
    "new error": lambda d: at(d, *GET, "responses").update({"418": {"description": "Tea."}}),
    "new webhook": lambda d: d["webhooks"].update(
        {"instance.new": d["webhooks"]["instance.running"]}
    ),
    "deprecated": lambda d: at(d, *GET).update(deprecated=True),
    "other words": lambda d: at(d, *GET).update(summary="Look", description="At it."),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_change_that_breaks_nobody_passes(name: str) -> None:
    after = deepcopy(document())
    HARMLESS[name](after)
    assert breaking_changes(document(), after) == []
