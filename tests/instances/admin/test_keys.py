"""What a key made, and its end; and who may do so."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts.models import ApiKey, AuditEntry, Project
from accounts.services import create_api_key, digest_of
from instances.domain.types import Cause, InstanceRequest
from instances.models import Instance
from instances.services import create_instance, made_by
from tests.conftest import client_of
from tests.instances.admin.conftest import Make

pytestmark = pytest.mark.django_db
SPEC = InstanceRequest(
    name="a", product_name="RTX 4090 24GB", template_id="tpl-1", region="CN-HK-01"
)


@pytest.fixture
def leaked(project: Project) -> str:
    return create_api_key(project=project, name="leaked")


def row_of(key: str) -> ApiKey:
    return ApiKey.objects.get(digest=digest_of(key))


def made_with(key: str) -> Instance:
    body = {"name": "a", "productName": "RTX 4090 24GB", "templateId": "tpl-1"}
    answer = client_of(key).post("/api/instances", body, "application/json")
    return Instance.objects.get(public_id=answer.json()["instanceId"])


def end_all(key: str) -> str:
    return reverse("admin:accounts_apikey_terminate_all", args=[row_of(key).pk])


def operator(*codenames: str) -> Client:
    user = User.objects.create_user("bob", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def statuses(*instances: Instance) -> list[str]:
    return [Instance.objects.get(pk=instance.pk).status for instance in instances]


def test_what_a_key_made_is_found_and_ended_and_nothing_else(
    admin_client: Client, project: Project, leaked: str, make: Make
) -> None:
    other = create_api_key(project=project, name="other")
    mine, theirs, old = made_with(leaked), made_with(other), make("running")
    key = row_of(leaked)
    page = admin_client.get(reverse("admin:accounts_apikey_change", args=[key.pk]))
    assert "1, of which 1 have not ended" in page.content.decode()
    listed = admin_client.get(f"/admin/instances/instance/?made_by=key:{key.public_id}")
    assert mine.public_id in listed.content.decode()
    assert theirs.public_id not in listed.content.decode()
    asked = admin_client.get(end_all(leaked)).content.decode()
    assert mine.public_id in asked
    assert theirs.public_id not in asked
    admin_client.post(end_all(leaked), {"name": "wrong"})
    assert statuses(mine, theirs, old) == ["creating", "creating", "running"]
    admin_client.post(end_all(leaked), {"name": key.start})
    assert statuses(mine, theirs, old) == ["terminated", "creating", "running"]
    assert AuditEntry.objects.get(verb="api_key.terminate_all").subject == key.public_id


def test_rows_of_the_release_before_are_found_by_their_first_event(
    project: Project, leaked: str
) -> None:
    key = row_of(leaked)
    cause = Cause(f"key:{key.public_id}")
    old = create_instance(project=project, spec=SPEC, cause=cause).instance
    foreign = create_instance(project=project, spec=SPEC, cause=Cause("key:key_x")).instance
    Instance.objects.update(made_by="")
    assert list(made_by(key)) == [old]
    assert foreign not in made_by(key)


@pytest.mark.parametrize("form", ["start", "id", "whole"])
def test_the_command_ends_what_a_key_made(leaked: str, make: Make, form: str) -> None:
    mine, others = made_with(leaked), make("running")
    key = row_of(leaked)
    word = {"start": key.start, "id": key.public_id, "whole": leaked}[form]
    out = StringIO()
    call_command("terminate_all", "--key", word, "--yes", stdout=out)
    assert "1 instances are being terminated" in out.getvalue()
    assert statuses(mine, others) == ["terminated", "running"]


@pytest.mark.parametrize("word", ["nvt_", "", "key_nobody", "nvt_abcdefgh"])
def test_the_command_guesses_no_key(leaked: str, word: str) -> None:
    instance = made_with(leaked)
    with pytest.raises(CommandError, match="API keys match"):
        call_command("terminate_all", "--key", word, "--yes")
    assert statuses(instance) == ["creating"]


@pytest.mark.parametrize("arguments", [[], ["--key", "key_a", "--project", "alpha"]])
def test_the_command_ends_one_or_the_other(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("terminate_all", *arguments, "--yes")


VIEWS = ("view_instance", "view_project", "view_apikey", "change_project", "change_apikey")


def test_ending_everything_takes_a_permission_of_its_own(
    project: Project, leaked: str, make: Make
) -> None:
    instance = make("running")
    bob = operator(*VIEWS, "change_instance")
    of_project = reverse("admin:accounts_project_terminate_all", args=[project.pk])
    pages = {
        of_project: (reverse("admin:accounts_project_change", args=[project.pk]), project.name),
        end_all(leaked): (
            reverse("admin:accounts_apikey_change", args=[row_of(leaked).pk]),
            row_of(leaked).start,
        ),
    }
    for verb, (page, name) in pages.items():
        assert bob.get(verb).status_code == 403
        assert bob.post(verb, {"name": name}).status_code == 403
        assert verb not in bob.get(page).content.decode()
    assert statuses(instance) == ["running"]
    user = User.objects.get(username="bob")
    user.user_permissions.add(Permission.objects.get(codename="terminate_all"))
    for verb, (page, _) in pages.items():
        assert verb in bob.get(page).content.decode()
    assert bob.post(of_project, {"name": project.name}).status_code == 302
    assert statuses(instance) == ["terminating"]


@pytest.mark.parametrize(
    ("permissions", "grantable"),
    [
        ((), set()),
        (("view_instance",), {"read", "metrics"}),
        (("view_instance", "change_instance"), {"read", "metrics", "write"}),
        (
            ("view_instance", "change_instance", "view_apikey", "change_apikey"),
            {"read", "metrics", "write", "admin"},
        ),
    ],
)
def test_nobody_gives_a_key_more_than_they_may_do(
    project: Project, permissions: tuple[str, ...], grantable: set[str]
) -> None:
    bob = operator("add_apikey", *permissions)
    for scope in ("read", "write", "admin", "credentials", "metrics"):
        data: dict[str, Any] = {"project": project.pk, "name": scope, "scopes": [scope]}
        bob.post("/admin/accounts/apikey/add/", data)
    made = {scope for key in ApiKey.objects.all() for scope in key.scopes}
    assert made == grantable


USERS = ("add_user", "change_user", "view_user", "delete_user", "add_group", "change_group")


@pytest.mark.parametrize(
    "path",
    ["auth/user/", "auth/user/add/", "auth/group/", "auth/group/add/", "auth/user/{pk}/change/"],
)
def test_only_superusers_change_users(admin_client: Client, path: str) -> None:
    bob = operator(*USERS, "view_group", "delete_group")
    path = path.format(pk=User.objects.get(username="bob").pk)
    assert bob.get(f"/admin/{path}").status_code == 403
    assert bob.post(f"/admin/{path}", {"is_superuser": "on"}).status_code == 403
    assert admin_client.get(f"/admin/{path}").status_code == 200
