"""What the service takes of a request's body is what its schema says, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from rest_framework.exceptions import ValidationError

from accounts.models import Project
from core.request_bodies import StrictSerializer
from instances.api.serializers import CreateInstance, UpdateInstance
from instances.models import Instance
from tests.contract.documents import document
from tests.instances.api.test_read import make

MINIMAL = {"name": "a", "productName": "b", "templateId": "c"}
PROBE = {"type": "http", "port": 8888}
BODIES: dict[str, tuple[type[StrictSerializer], dict[str, Any]]] = {
    "CreateInstanceRequest": (CreateInstance, MINIMAL),
    "PatchedUpdateInstanceRequest": (UpdateInstance, {}),
}
# A pattern's end is the text's; Python's $ lets a newline follow.
SCHEMAS = json.loads(json.dumps(document()["components"]["schemas"]).replace('$"', '\\\\Z"'))
FIELDS = [(name, field) for name in BODIES for field in SCHEMAS[name]["properties"]]
PROBE_FIELDS = list(SCHEMAS["ReadinessProbeRequest"]["properties"])
ODD = [
    *(None, True, False, 0, -1, 1, 2, 8, 9, 60, 8888, 2**53, 10**30, -0.0, 0.0, 1.0, 2.0, 2.5),
    *(60.0, 8888.0, 9007199254740991.0, 1e20, 1e300, 1e-5, 1e-6, 10000, 10000.0, 10001),
    *("", " ", "a", "2", "2.0", "1.50", "spot", "CN-HK-01", "terminate", "http", "tcp", "/", "/é"),
    *(
        "a" * 101,
        "a" * 201,
        "a" * 256,
        "a\n",
        "\u2028",
        [],
        [1],
        ["a"],
        {},
        {"a": "b"},
        {"a": None},
    ),
    *({"a": 1}, {"A": "b"}, {"a": {}}, PROBE, {**PROBE, "path": None}, {**PROBE, "type": None}),
    {"type": "tcp", "port": 22, "path": None, "expectedStatus": None, "timeoutSeconds": None},
    *({"type": "tcp", "port": 22.0}, {"type": "tcp", "port": 22, "path": "/"}, {"unknown": None}),
]
# Any JSON, and often something near to what is meant.
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.integers(-10, 1100),
    st.integers(-10, 1100).map(float),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.dictionaries(st.sampled_from("abc"), st.none() | st.text(max_size=3), max_size=2),
)


def is_told(name: str, body: Any) -> bool:
    told = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    return Draft202012Validator(told).is_valid(body)


def is_taken(name: str, body: Any) -> bool:
    try:
        BODIES[name][0].read(json.loads(json.dumps(body)))
    except ValidationError:
        return False
    return True


def is_about_a_form(field: str, value: Any) -> bool:
    """A URL's form is more than a schema can say."""
    return field == "webhookUrl" and isinstance(value, str)


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_odd_values_are_taken_exactly_if_the_schema_says_so(name: str, field: str) -> None:
    for value in ODD:
        if not is_about_a_form(field, value):
            body = {**BODIES[name][1], field: value}
            assert is_taken(name, body) == is_told(name, body), value


@pytest.mark.parametrize("field", PROBE_FIELDS)
def test_odd_values_within_a_probe_likewise(field: str) -> None:
    for value in ODD:
        for kind in ("http", "tcp"):
            body = {**MINIMAL, "readinessProbe": {**PROBE, "type": kind, field: value}}
            is_equal = is_taken(name := "CreateInstanceRequest", body) == is_told(name, body)
            assert is_equal, body


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_drawn_values_likewise(data: st.DataObject) -> None:
    name, field = data.draw(st.sampled_from(FIELDS))
    value = data.draw(VALUES)
    body = {**BODIES[name][1], field: value}
    if not is_about_a_form(field, value):
        assert is_taken(name, body) == is_told(name, body)


def optional_of(name: str) -> list[str]:
    return [each for each in SCHEMAS[name]["properties"] if each not in SCHEMAS[name]["required"]]


def test_null_in_an_optional_field_is_as_if_it_were_absent(api: Client, project: Project) -> None:
    nulls = dict.fromkeys(optional_of("CreateInstanceRequest"))
    assert len(nulls) >= 10
    probe = {**PROBE, **dict.fromkeys(optional_of("ReadinessProbeRequest"))}
    made = []
    for extra in ({}, nulls, {"readinessProbe": PROBE}, {"readinessProbe": probe}):
        answer = api.post("/api/instances", {**MINIMAL, **extra}, "application/json")
        assert answer.status_code == 201, answer.content
        details = api.get(answer["Location"]).json()
        made.append({k: v for k, v in details.items() if k not in _OWN})
    assert made[0] == made[1]
    assert made[2] == made[3] != made[0]


_OWN = {"id", "createdAt", "events", "jobs"}


@pytest.mark.parametrize("number", ["2.0", "2", "2e0", "20e-1", "2.000"])
def test_a_whole_number_is_an_integer_however_it_is_written(api: Client, number: str) -> None:
    body = json.dumps({**MINIMAL, "gpuNum": 0, "templateId": 7}).replace(": 0", f": {number}")
    made = api.post("/api/instances", body.replace("7", "7.0"), "application/json")
    assert made.status_code == 201
    instance = Instance.objects.get()
    assert (instance.gpu_num, instance.template_id) == (2, "7")
    assert '"gpuNum":2,' in api.get(made["Location"]).content.decode()


def test_null_keeps_its_meaning_in_a_patch(api: Client, project: Project) -> None:
    path = f"/api/instances/{make(project, tags={'a': 'b'}, max_runtime_minutes=5).public_id}"
    answer = api.patch(path, {"tags": None, "maxRuntimeMinutes": None}, "application/json")
    assert (answer.status_code, answer.json()["tags"]) == (200, {})
    assert "maxRuntimeMinutes" not in answer.json()
    assert api.patch(path, {"name": None}, "application/json").status_code == 400
