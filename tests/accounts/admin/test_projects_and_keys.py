"""The console for projects and keys."""

import re

from django.test import Client
from django.urls import reverse

from accounts.models import ApiKey, Project
from accounts.services import create_api_key, find_api_key
from accounts.webhook_secrets import webhook_secret_of
from tests.conftest import client_of

KEYS = "/admin/accounts/apikey/"


def make_key(admin_client: Client, project: Project) -> str:
    data = {
        "project": project.pk,
        "name": "ci",
        "scopes": ["read"],
        "expires_at_0": "",
        "expires_at_1": "",
    }
    page = admin_client.post(f"{KEYS}add/", data).content.decode()
    return page.split('id="api-key">')[1].split("<")[0]


def test_a_key_is_made_shown_once_and_works(admin_client: Client, project: Project) -> None:
    key = make_key(admin_client, project)
    assert client_of(key).get("/api/instances").status_code == 200
    row = ApiKey.objects.get()
    assert (row.name, row.project, row.scopes) == ("ci", project, ["read"])
    for url in (KEYS, reverse("admin:accounts_apikey_change", args=[row.pk]), "/admin/"):
        page = admin_client.get(url).content.decode()
        assert key not in page
        assert row.digest not in page
    assert key not in str(admin_client.cookies)


def test_a_name_that_is_too_long_is_refused_and_cut_nowhere(
    admin_client: Client, project: Project
) -> None:
    page = admin_client.get(f"{KEYS}add/").content.decode()
    (box,) = re.findall(r'<input[^>]* name="name"[^>]*>', page)
    # A browser cuts what is pasted to the length that is said here, without a word.
    assert "maxlength" not in box
    data = {"project": project.pk, "name": "n" * 101, "scopes": ["read"]}
    refused = admin_client.post(f"{KEYS}add/", data).content.decode()
    assert "at most 100 characters" in refused
    assert not ApiKey.objects.exists()


def test_a_revoked_key_opens_nothing_and_keeps_the_time_of_its_end(
    admin_client: Client, project: Project
) -> None:
    key = create_api_key(project=project, name="old")
    data = {"action": "revoke_selected", "_selected_action": [ApiKey.objects.get().pk]}
    admin_client.post(KEYS, data)
    assert find_api_key(key) is None
    ended = ApiKey.objects.get().revoked_at
    assert ended is not None
    admin_client.post(KEYS, data)
    assert ApiKey.objects.get().revoked_at == ended


def test_a_key_cannot_be_changed_or_deleted(admin_client: Client, project: Project) -> None:
    create_api_key(project=project, name="old")
    page = reverse("admin:accounts_apikey_change", args=[ApiKey.objects.get().pk])
    assert admin_client.post(page, {"name": "new"}).status_code == 403


def test_a_project_never_shows_its_signing_secret(admin_client: Client, project: Project) -> None:
    secret = webhook_secret_of(project)
    page = admin_client.get(reverse("admin:accounts_project_change", args=[project.pk]))
    assert project.public_id in page.content.decode()
    assert secret not in page.content.decode()


def test_a_project_can_be_made(admin_client: Client) -> None:
    admin_client.post("/admin/accounts/project/add/", {"name": "new-one"})
    assert Project.objects.filter(name="new-one").exists()
