"""The OpenAPI document: valid, complete, and right in its examples."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from core.clock import database_now, iso
from instances.domain.enums import InstanceStatus
from instances.lifecycle.message_types import EVENT_TYPES
from instances.lifecycle.outbox import WebhookMessage
from instances.models import Instance, InstanceEvent
from novitai import VERSION
from novitai.errors.codes import CODES
from novitai.openapi.introduction import TAGS
from tests.contract.documents import ROOT, Operation, document, faults_of, media_of, operations
from webhooks import event_types

each_operation = pytest.mark.parametrize("operation", operations(), ids=lambda o: o.id)


def examples_of(operation: dict[str, Any]) -> list[tuple[str, str, Any, dict[str, Any]]]:
    shared = document()["components"]["examples"]
    found = []
    for where, media in media_of(operation):
        for name, example in media.get("examples", {}).items():
            value = shared[name] if "$ref" in example else example
            found.append((where, name, value["value"], media["schema"]))
    return found


def test_it_is_openapi_3_1() -> None:
    told = document()
    assert told["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(told).iter_errors()) == []
    assert told["info"]["version"] == VERSION
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_its_introduction_tells_what_a_newcomer_must_know() -> None:
    text = document()["info"]["description"]
    titles = re.findall(r"^# (.+)$", text, re.MULTILINE)
    assert {"Authentication", "Errors", "Retries and idempotency", "Pagination"} <= set(titles)
    assert "contact" not in document()["info"]


def test_it_keeps_the_rules_that_a_linter_checks_without_one() -> None:
    """Those of Redocly's recommended set that no other test here holds."""
    told = document()
    assert told["servers"]
    assert told["info"]["license"]["name"]
    assert told["info"]["license"]["identifier"]
    for operation in operations():
        assert isinstance(operation.body["security"], list)
        assert any(status.startswith("4") for status in operation.body["responses"])
    used = set(re.findall(r'"#/components/(\w+)/([^"]+)"', json.dumps(told)))
    components = {(kind, name) for kind, named in told["components"].items() for name in named}
    assert {each for each in components - used if each[0] != "securitySchemes"} == set()
    for schema in schemas_within(told):
        for example in schema.get("examples", ()):
            assert faults_of(example, schema) == []


def schemas_within(part: Any) -> Iterator[dict[str, Any]]:
    """Every schema, at whatever depth, that shows examples."""
    if isinstance(part, dict) and isinstance(part.get("examples"), list):
        yield part
    for inner in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        yield from schemas_within(inner)


def test_its_groups_are_described_in_order_and_none_is_empty() -> None:
    told = [tag["name"] for tag in document()["tags"]]
    used = {tag for operation in operations() for tag in operation.body["tags"]}
    assert told == [tag["name"] for tag in TAGS if tag["name"] in {*used, "Webhooks"}]
    assert used <= set(told)


@each_operation
def test_an_operation_says_what_it_is(operation: Operation) -> None:
    body = operation.body
    assert re.fullmatch(r"[a-z][A-Za-z]+", operation.id)
    assert body["summary"][0].isupper()
    assert not body["summary"].endswith(".")
    assert len(body["description"]) > 40
    assert len(body["tags"]) == 1
    assert len({o.id for o in operations()}) == len(operations())
    for where, media in media_of(body):
        assert media.get("examples"), f"no example of {where}"
    assert ("x-scope" in body) == bool(body.get("security"))
    for parameter in body["parameters"]:
        assert parameter["description"], parameter["name"]


@each_operation
def test_its_answers_carry_their_headers(operation: Operation) -> None:
    for status, response in operation.body["responses"].items():
        assert response["description"]
        assert "X-Request-Id" in response["headers"]
        if status in ("429", "503") and operation.path.startswith("/api/"):
            assert "Retry-After" in response["headers"]
        if status == "401":
            assert "WWW-Authenticate" in response["headers"]
    is_idempotent = any(p["name"] == "Idempotency-Key" for p in operation.body["parameters"])
    assert is_idempotent == (operation.method == "POST")


@each_operation
def test_its_refusals_have_the_one_form_and_an_example_for_each_code(operation: Operation) -> None:
    refusals = {s: r for s, r in operation.body["responses"].items() if s >= "400"}
    if not operation.path.startswith("/api/"):
        return
    assert {"401", "403", "429", "500", "503"} <= set(refusals)
    has_id = "{" in operation.path or operation.id in ("streamEvents", "createWebhookEndpoint")
    assert ("404" in refusals) == has_id
    for status, response in refusals.items():
        media = response["content"]["application/json"]
        assert media["schema"] == {"$ref": "#/components/schemas/ErrorResponse"}
        codes = {
            value["error"]["code"]
            for where, _, value, _ in examples_of(operation.body)
            if where == status
        }
        assert codes
        assert {CODES[code].status for code in codes} == {int(status)}


@each_operation
def test_its_examples_are_right_in_shape(operation: Operation) -> None:
    for where, name, value, schema in examples_of(operation.body):
        assert faults_of(value, schema) == [], (where, name)


@each_operation
def test_what_answers_with_a_page_says_how_to_ask_for_the_next(operation: Operation) -> None:
    answers = json.dumps(operation.body["responses"].get("200", {}))
    named = re.findall(r'"#/components/schemas/(\w+)"', answers)
    schemas = document()["components"]["schemas"]
    is_page = any("nextCursor" in schemas[name].get("properties", {}) for name in named)
    parameters = {each["name"] for each in operation.body.get("parameters", [])}
    assert {"limit", "cursor"} & parameters == ({"limit", "cursor"} if is_page else set())


def all_examples() -> list[Any]:
    """And the request that an answer names all mistakes of."""
    found = [value for o in operations() for _, _, value, _ in examples_of(o.body)]
    return [*found, request_with_mistakes()]


def request_with_mistakes() -> dict[str, Any]:
    operation = document()["paths"]["/api/instances"]["post"]
    (answer,) = [v for _, name, v, _ in examples_of(operation) if name == "SevenMistakes"]
    return {each["field"]: each["value"] for each in answer["error"]["validationErrors"]}


def is_within(small: Any, large: Any) -> bool:
    """Every field of the small one stands in the large one, at every depth."""
    if isinstance(small, dict) and isinstance(large, dict):
        return all(name in large and is_within(small[name], large[name]) for name in small)
    return bool(small == large)


# From the data model page of the seed, word for word.
SEED = json.loads((ROOT / "tests" / "contract" / "seed_examples.json").read_text())


@pytest.mark.parametrize("name", SEED)
def test_the_examples_of_the_seed_are_in_it(name: str) -> None:
    assert any(is_within(SEED[name], example) for example in all_examples())


def test_the_example_with_mistakes_is_answered_as_its_example_says(api: Any) -> None:
    operation = document()["paths"]["/api/instances"]["post"]
    found = {name: value for _, name, value, _ in examples_of(operation)}
    answer = api.post("/api/instances", request_with_mistakes(), content_type="application/json")
    assert answer.status_code == 400
    expected, given = found["SevenMistakes"]["error"], answer.json()["error"]
    volatile = {"timestamp": "", "requestId": ""}
    assert given | volatile == expected | volatile


def test_the_example_request_is_accepted(api: Any) -> None:
    operation = document()["paths"]["/api/instances"]["post"]
    (body,) = [v for _, name, v, _ in examples_of(operation) if name == "ARequest"]
    assert api.post("/api/instances", body, content_type="application/json").status_code == 201


def test_links_lead_to_operations_with_their_parameters() -> None:
    known = {o.id: o for o in operations()}
    links = [
        link
        for operation in operations()
        for response in operation.body["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert {"getInstance", "listInstanceEvents", "terminateInstance"} <= {
        link["operationId"] for link in links
    }
    for link in links:
        target = known[link["operationId"]]
        in_path = {p["name"] for p in target.body["parameters"] if p["in"] == "path"}
        assert set(link["parameters"]) == in_path


# Webhooks


def test_every_message_that_the_service_sends_is_described() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "instances").rglob("*.py"))
    statuses = {f"instance.{status}" for status in InstanceStatus}
    told = set(re.findall(r'"(instance\.[a-z_]+)"[^()]*is_told=True', code))
    assert len(told) >= 5
    types = {each.name for each in EVENT_TYPES}
    assert told <= types
    # Some are written by way of a constant, or a variable.
    assert types - statuses <= set(re.findall(r'"(instance\.[a-z_]+)"', code))
    assert set(document()["webhooks"]) == {each.name for each in event_types.all_types()}


@pytest.mark.parametrize("name", [each.name for each in event_types.all_types()])
def test_a_message_is_described_with_its_signature_and_an_example(name: str) -> None:
    operation = document()["webhooks"][name]["post"]
    headers = {p["name"] for p in operation["parameters"] if p["required"]}
    assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    (example,) = [e for e in examples_of(operation) if e[0] == "request"]
    assert example[2]["type"] == name
    assert faults_of(example[2], example[3]) == []


def test_a_message_is_what_its_schema_says(api: Any, project: Any) -> None:
    body = {"name": "a", "productName": "b", "templateId": 1, "webhookUrl": "https://a.example/"}
    api.post("/api/instances", body, content_type="application/json")
    instance = Instance.objects.get()
    instance.upstream_id = "up-1"
    instance.error_code, instance.error_message = "STARTUP_FAILED", "It does not start."
    instance.started_at = database_now()
    event = InstanceEvent.objects.get()
    event.instance = instance
    payload = WebhookMessage.of(event).as_json()
    schema = document()["components"]["schemas"]["WebhookMessage"]
    assert faults_of(payload, {"$ref": "#/components/schemas/WebhookMessage"}) == []
    assert set(payload) <= set(schema["properties"])
    assert payload["timestamp"] == iso(event.occurred_at)
