"""The probe of a request: taken at its word, with the seed's errors."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from instances.models import Instance

BODY = {"name": "a", "productName": "RTX 4090", "templateId": "1"}


def ask(api: Client, probe: Any) -> Any:
    return api.post("/api/instances", {**BODY, "readinessProbe": probe}, "application/json")


def test_a_probe_is_kept_with_its_defaults_and_shown_again(api: Client) -> None:
    answer = ask(api, {"type": "http", "port": 8888})
    assert answer.status_code == 201
    shown = api.get(f"/api/instances/{answer.json()['instanceId']}").json()
    assert shown["readinessProbe"] == {
        "type": "http",
        "port": 8888,
        "path": "/",
        "expectedStatus": 200,
        "timeoutSeconds": 5,
    }


def test_a_connection_has_neither_path_nor_status(api: Client) -> None:
    assert ask(api, {"type": "tcp", "port": 22}).status_code == 201
    assert Instance.objects.get().readiness_probe == {
        "type": "tcp",
        "port": 22,
        "timeoutSeconds": 5,
    }


@pytest.mark.parametrize(
    ("probe", "field"),
    [
        ("tcp", "readinessProbe"),
        ([], "readinessProbe"),
        ({"type": "udp", "port": 1}, "readinessProbe.type"),
        ({"type": "tcp"}, "readinessProbe.port"),
        ({"type": "tcp", "port": 0}, "readinessProbe.port"),
        ({"type": "tcp", "port": "22"}, "readinessProbe.port"),
        ({"type": "tcp", "port": 22, "path": "/"}, "readinessProbe.path"),
        ({"type": "tcp", "port": 22, "expectedStatus": 200}, "readinessProbe.expectedStatus"),
        ({"type": "http", "port": 80, "path": "x"}, "readinessProbe.path"),
        ({"type": "http", "port": 80, "path": "/a b"}, "readinessProbe.path"),
        ({"type": "http", "port": 80, "path": "/a\r\nX: y"}, "readinessProbe.path"),
        ({"type": "http", "port": 80, "expectedStatus": 99}, "readinessProbe.expectedStatus"),
        ({"type": "http", "port": 80, "timeoutSeconds": 11}, "readinessProbe.timeoutSeconds"),
        ({"type": "tcp", "port": 22, "host": "10.0.0.1"}, "readinessProbe.host"),
    ],
)
def test_what_is_no_probe_is_refused_by_its_field(api: Client, probe: Any, field: str) -> None:
    answer = ask(api, probe)
    assert answer.status_code == 400
    assert [entry["field"] for entry in answer.json()["error"]["validationErrors"]] == [field]
    assert not Instance.objects.exists()
