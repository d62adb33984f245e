"""A scraper's key sees the figures of the installation, and can do nothing else."""

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Project
from accounts.services import create_api_key
from tests.conftest import client_of

INSTALLATION = ("novitai_workers", "novitai_upstream_breaker", "django_http_responses_total")
# No key is asked for, or any valid one will do: it may look at itself.
OPEN = {"health", "livez", "readyz", "schema", "docs", "redoc", "redoc-script", "home", "unknown"}
ANY_KEY = {"current-key", "metrics"}


@pytest.fixture
def scraper(project: Project) -> Client:
    return client_of(create_api_key(project=project, name="prometheus", scopes=["metrics"]))


def test_it_is_shown_what_an_admin_is_shown(scraper: Client) -> None:
    answer = scraper.get("/api/metrics")
    assert answer.status_code == 200
    text = answer.content.decode()
    assert all(f"# TYPE {name}" in text for name in INSTALLATION)


@pytest.mark.parametrize("scopes", [["read"], ["write"], ["read", "write"]])
def test_others_are_shown_their_project(project: Project, scopes: list[str]) -> None:
    client = client_of(create_api_key(project=project, name="k", scopes=scopes))
    text = client.get("/api/metrics").content.decode()
    assert "novitai_instances" in text
    assert not any(name in text for name in INSTALLATION)


@pytest.mark.parametrize("scopes", [["credentials"], [], ["of a later release"]])
def test_keys_for_something_else_are_shown_nothing(project: Project, scopes: list[str]) -> None:
    refused = client_of(create_api_key(project=project, name="k", scopes=scopes)).get(
        "/api/metrics"
    )
    assert refused.status_code == 403
    assert "scope read or metrics" in refused.json()["error"]["message"]


def _api_paths(patterns: list[Any], prefix: str = "") -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for each in patterns:
        path = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            found += _api_paths(each.url_patterns, path)
        elif isinstance(each, URLPattern) and path.startswith("api/"):
            found.append(("/" + path, each.name))
    return found


def test_no_other_address_lets_it_in(scraper: Client) -> None:
    """Every address there is, by every method, so that a new one is covered as well."""
    let_in = []
    for path, name in _api_paths(get_resolver().url_patterns):
        if name in OPEN or path in ("/api/", "/api/keys/current", "/api/metrics"):
            continue
        concrete = path.replace("<str:public_id>", "x").replace("<str:name>", "x")
        for method in ("get", "head", "post", "put", "patch", "delete"):
            status = getattr(scraper, method)(concrete, content_type="application/json").status_code
            if status not in (403, 405):
                let_in.append((method, concrete, status))
    assert let_in == []


def test_the_command_makes_such_a_key(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_key", "--scope", "metrics")
    scraper = client_of(capsys.readouterr().out.strip())
    assert scraper.get("/api/metrics").status_code == 200
    assert scraper.get("/api/instances").status_code == 403


def test_the_document_says_that_either_scope_is_enough(anonymous: Client) -> None:
    document = anonymous.get("/api/schema").json()
    assert document["paths"]["/api/metrics"]["get"]["x-scope"] == "read or metrics"
