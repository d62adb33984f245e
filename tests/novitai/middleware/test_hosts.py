"""Which Host headers are answered."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

PROBES = ("/livez", "/readyz", "/health")
STRANGE_HOSTS = (
    *("10.1.2.3:8000", "10.1.2.3", "[fd00::1]:8000", "[fe80::1%25eth0]:8000", "other.example"),
    *("stack_web:8000", "a b", "<script>", "x" * 4000, "", "web:99999", "app.example.com.evil"),
)


@pytest.mark.django_db
@pytest.mark.parametrize("host", STRANGE_HOSTS)
@pytest.mark.parametrize("path", PROBES)
def test_probes_answer_whatever_the_host_header_says(
    anonymous: Client, settings: Any, path: str, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["app.example.com"]
    assert anonymous.get(path, headers={"host": host}).status_code in (
        (200, 503) if path == "/health" else (200,)
    )


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_nothing_else_answers_under_a_host_that_is_not_allowed(
    anonymous: Client, settings: Any, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["app.example.com"]
    for path in ("/api", "/livez/", "/health/x"):
        assert anonymous.get(path, headers={"host": host or "x"}).status_code == 400


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("*", "stack_web:8000"),
        ("*", "_:1"),
        ("*", "a_b.internal"),
        ("*", "[fe80::1%25eth0]:8000"),
        ("stack_web", "stack_web:8000"),
        ("stack_web", "STACK_WEB."),
        (".my_zone", "a.my_zone:80"),
    ],
)
def test_a_name_with_an_underscore_is_a_name(
    anonymous: Client, settings: Any, allowed: str, host: str
) -> None:
    settings.ALLOWED_HOSTS = [allowed]
    assert anonymous.get("/api", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["stack_web:8000", "a b_c", "stack_web/", "user@stack_web", "_:x"])
def test_a_name_with_an_underscore_must_be_allowed_too(
    anonymous: Client, settings: Any, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["stack_other", "app.example.com"]
    assert anonymous.get("/api", headers={"host": host}).status_code == 400


@pytest.mark.django_db
def test_the_admin_works_under_a_name_with_an_underscore(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    host = {"host": "stack_web:8000", "origin": "http://stack_web:8000"}
    page = client.get("/admin/login/", headers=host)
    assert page.status_code == 200
    form = {
        "username": "a",
        "password": "b",
        "csrfmiddlewaretoken": client.cookies["csrftoken"].value,
    }
    assert client.post("/admin/login/", form, headers=host).status_code == 200
