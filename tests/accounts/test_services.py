"""Projects, keys and signing secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from accounts.models import ApiKey, Project
from accounts.services import (
    create_api_key,
    find_api_key,
    get_default_project,
    keep_api_key,
    revoke_api_key,
)
from accounts.webhook_secrets import webhook_secret_of
from egress.webhooks.signing import is_usable_secret
from tests.support.engine import database_time

pytestmark = pytest.mark.django_db


def test_a_key_is_shown_once_and_kept_as_a_hash(project: Project) -> None:
    key = create_api_key(project=project, name="ci")
    row = ApiKey.objects.get()
    assert key.startswith("nvt_")
    assert key.startswith(row.start)
    assert key not in " ".join(str(value) for value in ApiKey.objects.values().get().values())
    assert find_api_key(key) == row


def test_only_usable_keys_are_found(project: Project) -> None:
    minute = timedelta(minutes=1)
    late = create_api_key(project=project, name="late", expires_at=database_time(-minute))
    soon = create_api_key(project=project, name="soon", expires_at=database_time(minute))
    gone = create_api_key(project=project, name="gone")
    revoke_api_key(ApiKey.objects.get(name="gone"))
    assert (find_api_key(late), find_api_key(gone)) == (None, None)
    found = find_api_key(soon)
    assert found is not None
    assert found.name == "soon"


def test_a_key_is_revoked_once(project: Project) -> None:
    create_api_key(project=project, name="ci")
    row = ApiKey.objects.get()
    revoke_api_key(row)
    first = ApiKey.objects.get().revoked_at
    revoke_api_key(row)
    assert ApiKey.objects.get().revoked_at == first is not None


@pytest.mark.parametrize("text", ["", "short", "a b" * 10, "é" * 20, "x" * 201, "x" * 20 + "\x00"])
def test_what_no_key_looks_like_is_not_looked_up(text: str) -> None:
    assert find_api_key(text) is None


def test_a_key_from_elsewhere_is_kept_once(project: Project, other_project: Project) -> None:
    first = keep_api_key(project=project, name="a", key="k" * 20)
    second = keep_api_key(project=other_project, name="b", key="k" * 20)
    assert (first, second.project) == (second, project)


def test_there_is_one_default_project() -> None:
    assert get_default_project() == get_default_project()


def test_a_project_keeps_the_secret_it_was_given(project: Project, other_project: Project) -> None:
    secret = webhook_secret_of(project)
    assert is_usable_secret(secret)
    assert webhook_secret_of(Project.objects.get(pk=project.pk)) == secret
    assert webhook_secret_of(other_project) != secret


def test_two_that_make_a_secret_at_once_get_the_same(project: Project) -> None:
    other = Project.objects.get(pk=project.pk)
    assert webhook_secret_of(project) == webhook_secret_of(other)


def test_the_configured_secret_is_the_default_projects(project: Project, settings: Any) -> None:
    secret = "whsec_" + "a" * 44
    settings.CONFIG = settings.CONFIG.model_copy(update={"webhook_secret": SecretStr(secret)})
    assert webhook_secret_of(get_default_project()) == secret
    assert webhook_secret_of(project) != secret
