"""Keys and operators from the command line."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from accounts.models import ApiKey, Project
from tests.conftest import client_of


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_the_first_key_comes_from_the_command_line_and_nothing_else_is_printed(db: None) -> None:
    key = run("create_api_key")
    assert key.endswith("\n")
    assert client_of(key.strip()).get("/api/instances").status_code == 200
    assert ApiKey.objects.get().project.name == "default"


def test_a_key_can_be_for_another_project(db: None) -> None:
    run("create_api_key", "--project", "blue", "--name", "ci")
    run("create_api_key", "--project", "blue")
    assert [key.project.name for key in ApiKey.objects.all()] == ["blue", "blue"]


def test_a_keys_scopes_end_and_limit_are_said_on_the_command_line(db: None) -> None:
    run(
        "create_api_key",
        "--scope=read",
        "--scope=credentials",
        "--expires-in-days=1.5",
        "--rate-limit=60",
    )
    key = ApiKey.objects.get()
    assert (key.scopes, key.rate_limit) == (["read", "credentials"], 60)
    assert key.expires_at is not None
    left = key.expires_at - key.created_at
    assert abs(left - timedelta(days=1.5)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "option",
    ["--scope=all", "--expires-in-days=0", "--expires-in-days=nan", "--rate-limit=-1"],
)
def test_what_no_key_can_have_is_refused(db: None, option: str) -> None:
    with pytest.raises(CommandError):
        run("create_api_key", option)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("name", ["", " ", "n" * 101, "a\x00b"])
def test_a_key_needs_a_usable_name_and_none_is_cut(db: None, name: str) -> None:
    with pytest.raises(CommandError, match="--name"):
        run("create_api_key", "--name", name)
    assert not ApiKey.objects.exists()


def test_a_key_may_have_a_name_of_100_characters(db: None) -> None:
    run("create_api_key", "--name", "n" * 100)
    assert ApiKey.objects.get().name == "n" * 100


@pytest.mark.parametrize("name", ["a b", "", "ü", "a" * 61])
def test_a_project_needs_a_usable_name(db: None, name: str) -> None:
    with pytest.raises(CommandError, match="--project"):
        run("create_api_key", f"--project={name}")


def test_an_administrator_is_made_once_and_stays_signed_in(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", "first-password")
    run("ensure_admin")
    before = User.objects.get(username="admin").password
    run("ensure_admin")
    user = User.objects.get(username="admin")
    assert user.password == before
    assert user.is_superuser
    monkeypatch.setenv("ADMIN_PASSWORD", "second-password")
    run("ensure_admin")
    assert User.objects.get(username="admin").check_password("second-password")


def test_an_administrator_needs_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)
    with pytest.raises(CommandError, match="ADMIN_PASSWORD is not set"):
        run("ensure_admin")


@pytest.mark.parametrize(("setting", "limit"), [(20, 20), (3, 3), (0, None)])
def test_a_new_project_has_the_default_limit_and_an_old_one_keeps_its_own(
    db: None, settings: Any, setting: int, limit: int | None
) -> None:
    Project.objects.create(name="old")
    settings.CONFIG = settings.CONFIG.model_copy(update={"default_max_instances": setting})
    run("create_api_key", "--project", "old")
    run("create_api_key", "--project", "new")
    run("create_api_key")
    limits = dict(Project.objects.values_list("name", "live_instance_limit"))
    assert limits == {"old": None, "new": limit, "default": limit}
