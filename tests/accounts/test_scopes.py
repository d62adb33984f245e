"""A key does what its scopes cover, and nothing else."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import ApiKey, Project
from accounts.scopes import Scope, is_covered
from accounts.services import create_api_key
from tests.conftest import client_of

BODY = {"name": "a", "productName": "RTX 4090", "templateId": "1"}


def client_with(project: Project, *scopes: str) -> Client:
    return client_of(create_api_key(project=project, name="k", scopes=list(scopes)))


@pytest.mark.parametrize(
    ("wanted", "given", "expected"),
    [
        ("read", ["read"], True),
        ("read", ["write"], True),
        ("read", ["admin"], True),
        ("write", ["admin"], True),
        ("write", ["read"], False),
        ("admin", ["read", "write"], False),
        ("credentials", ["admin"], False),
        ("credentials", ["credentials"], True),
        ("read", ["credentials"], False),
        ("read", ["a word of a later release"], False),
        ("read", [], False),
    ],
)
def test_a_scope_brings_along_what_it_must(wanted: str, given: list[str], expected: bool) -> None:
    assert is_covered(Scope(wanted), given) is expected


def test_a_key_that_may_only_read_changes_nothing(project: Project) -> None:
    reader = client_with(project, "read")
    assert reader.get("/api/instances").status_code == 200
    refused = reader.post("/api/instances", BODY, "application/json")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "FORBIDDEN"
    assert "scope write" in refused.json()["error"]["message"]
    assert not project.instances.exists()


def test_a_key_without_read_sees_nothing(project: Project) -> None:
    assert client_with(project, "credentials").get("/api/instances").status_code == 403


def test_a_new_key_reads_and_writes(project: Project) -> None:
    create_api_key(project=project, name="k")
    assert ApiKey.objects.get().scopes == ["read", "write"]


def test_keys_are_listed_and_revoked_by_an_admin_of_the_project(
    project: Project, other_project: Project
) -> None:
    create_api_key(project=other_project, name="theirs")
    leaked = create_api_key(project=project, name="leaked")
    admin = client_with(project, "admin")
    assert client_of(leaked).get("/api/keys").status_code == 403
    listed = admin.get("/api/keys").json()["keys"]
    assert [(key["name"], key["scopes"]) for key in listed] == [
        ("k", ["admin"]),
        ("leaked", ["read", "write"]),
    ]
    assert leaked not in str(listed)
    revoked = admin.delete(f"/api/keys/{listed[1]['id']}")
    assert (revoked.status_code, revoked.has_header("Content-Length")) == (204, False)
    assert admin.delete(f"/api/keys/{listed[1]['id']}").status_code == 204
    assert client_of(leaked).get("/api/instances").status_code == 401


@pytest.mark.parametrize("wrong", ["key_0", "%00", "a" * 500])
def test_keys_of_others_are_not_there(project: Project, other_project: Project, wrong: str) -> None:
    create_api_key(project=other_project, name="theirs")
    theirs = ApiKey.objects.get().public_id
    admin = client_with(project, "admin")
    for public_id in (theirs, wrong):
        answer = admin.delete(f"/api/keys/{public_id}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "API_KEY_NOT_FOUND")
    assert ApiKey.objects.get(public_id=theirs).revoked_at is None


@pytest.mark.parametrize("scopes", [["credentials"], ["admin"], [], ["of a later release"]])
def test_every_valid_key_may_see_itself(project: Project, scopes: list[str]) -> None:
    answer = client_with(project, *scopes).get("/api/keys/current")
    assert (answer.status_code, answer.json()["scopes"]) == (200, scopes)


def test_a_key_is_told_what_it_is(project: Project) -> None:
    reader = client_with(project, "read")
    reader.get("/api/instances")
    told = reader.get("/api/keys/current").json()
    assert told["project"]["name"] == "alpha"
    assert told["scopes"] == ["read"]
    assert told["lastUsedAt"].endswith("Z")
