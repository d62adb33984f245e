"""Private templates of the account are seen and used by decision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import Project
from accounts.services import create_api_key, ensure_project
from instances.catalogue import browse, cache
from instances.catalogue.allowed_templates import may_use
from instances.models import Instance
from tests.conftest import client_of
from tests.instances.handlers.conftest import Service, novita, service
from tests.support.fakes import TEMPLATE, FakeNovita

pytestmark = pytest.mark.django_db
__all__ = ["novita", "service"]

PRIVATE = replace(TEMPLATE, id="secret-recipe", name="ours", channel="private")
PUBLIC = replace(TEMPLATE, id="everybodys", name="theirs", channel="official")


@pytest.mark.parametrize(
    ("allowed", "template_id", "channel", "expected"),
    [
        (None, "a", "private", True),
        ([], "a", "private", False),
        (["a"], "a", "private", True),
        (["ab"], "a", "private", False),
        ([], "a", "official", True),
        ([], "a", "community", True),
        ([], "a", " Official ", True),
        # A word that we do not know is no word for everybody.
        ([], "a", "", False),
        ([], "a", "team", False),
        ([], "a", "officials", False),
    ],
)
def test_who_may_use_what(
    allowed: list[str] | None, template_id: str, channel: str, expected: bool
) -> None:
    project = Project(name="p", private_templates=allowed)
    assert may_use(project, template_id, channel) is expected


@pytest.fixture
def strict(project: Project) -> Project:
    project.private_templates = []
    project.save()
    return project


def names(project: Project) -> list[str]:
    client = client_of(create_api_key(project=project, name="k"))
    return [row["id"] for row in client.get("/api/templates").json()["templates"]]


def test_the_list_shows_what_the_project_may_use(strict: Project, other_project: Project) -> None:
    browse.keep_templates([PRIVATE, PUBLIC])
    assert names(strict) == ["everybodys"]
    assert names(other_project) == ["secret-recipe", "everybodys"]
    Project.objects.filter(pk=strict.pk).update(private_templates=["secret-recipe"])
    assert names(Project.objects.get(pk=strict.pk)) == ["secret-recipe", "everybodys"]


def plan(project: Project, template_id: str) -> dict[str, Any]:
    client = client_of(create_api_key(project=project, name="k"))
    create_body = {"name": "a", "productName": "RTX 4090 24GB", "templateId": template_id}
    body: dict[str, Any] = client.post(
        "/api/instances/plan", create_body, "application/json"
    ).json()
    return body


def test_a_plan_says_what_creating_would(strict: Project, other_project: Project) -> None:
    cache.keep_template(PRIVATE.id, PRIVATE)
    codes = [each["code"] for each in plan(strict, PRIVATE.id)["reasons"]]
    assert "TEMPLATE_NOT_FOUND" in codes
    codes = [each["code"] for each in plan(other_project, PRIVATE.id)["reasons"]]
    assert "TEMPLATE_NOT_FOUND" not in codes


@pytest.mark.parametrize("is_cached", [True, False])
def test_nothing_is_created_from_what_the_project_may_not_use(
    service: Service, novita: FakeNovita, strict: Project, is_cached: bool
) -> None:
    novita.templates = {PRIVATE.id: PRIVATE, PUBLIC.id: PUBLIC}
    service.project = strict
    if is_cached:
        cache.keep_template(PRIVATE.id, PRIVATE)
    refused = service.create(template_id=PRIVATE.id)
    service.run("create_instance", times=3)
    refused.refresh_from_db()
    assert (refused.status, refused.error_code) == ("failed", "TEMPLATE_NOT_FOUND")
    unknown = service.create(template_id="there-is-none")
    service.run("create_instance", times=3)
    unknown.refresh_from_db()
    # Whether it exists is not told.
    told = unknown.error_message.replace("there-is-none", PRIVATE.id)
    assert told == refused.error_message
    assert not Instance.objects.exclude(upstream_id="").exists()


def test_a_listed_one_is_created(service: Service, novita: FakeNovita, strict: Project) -> None:
    novita.templates = {PRIVATE.id: PRIVATE}
    strict.private_templates = [PRIVATE.id]
    strict.save()
    service.project = strict
    instance = service.create(template_id=PRIVATE.id)
    service.run("create_instance", times=3)
    instance.refresh_from_db()
    assert instance.upstream_id


@pytest.mark.parametrize(
    ("setting", "name", "expected"),
    [("listed", "tenant", []), ("all", "tenant", None), ("listed", "default", None)],
)
def test_a_new_project_begins_with_what_the_setting_says(
    settings: Any, setting: str, name: str, expected: list[str] | None
) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"private_templates": setting})
    assert ensure_project(name).private_templates == expected


def test_the_command_makes_no_project_that_sees_more(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_key", "--project", "tenant")
    assert Project.objects.get(name="tenant").private_templates == []


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("*", None), ("", []), ("b\n a\r\nb", ["a", "b"]), ("* a", ["*", "a"])],
)
def test_an_operator_lists_them(
    admin_client: Client, strict: Project, typed: str, kept: list[str] | None
) -> None:
    page = reverse("admin:accounts_project_change", args=[strict.pk])
    assert 'name="private_templates"' in admin_client.get(page).content.decode()
    admin_client.post(page, {"private_templates": typed})
    strict.refresh_from_db()
    assert strict.private_templates == kept


def test_a_project_made_in_the_console_begins_with_the_setting(admin_client: Client) -> None:
    page = admin_client.get("/admin/accounts/project/add/").content.decode()
    assert ">\n</textarea>" in page
    admin_client.post("/admin/accounts/project/add/", {"name": "tenant", "private_templates": ""})
    assert Project.objects.get(name="tenant").private_templates == []
