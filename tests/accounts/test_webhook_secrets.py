"""Signing secrets: shown once, replaced with an overlap, ended at once when they leak."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pydantic import SecretStr

from accounts import webhook_secrets
from accounts.models import AuditEntry, Project
from accounts.services import get_default_project
from accounts.webhook_secrets import SecretRefused, secrets_of, webhook_secret_of
from core.clock import database_now
from egress.webhooks.signing import is_usable_secret

pytestmark = pytest.mark.django_db
DAY = timedelta(hours=24)


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("webhook_secret", *arguments, stdout=out)
    return out.getvalue().strip()


def read(project: Project, *, later: timedelta = timedelta()) -> webhook_secrets.Secrets:
    return secrets_of(Project.objects.get(pk=project.pk), database_now() + later)


def test_a_secret_is_shown_once(project: Project) -> None:
    shown = command("--project", "alpha", "--show-once")
    assert shown == webhook_secret_of(project)
    assert is_usable_secret(shown)
    with pytest.raises(CommandError, match="already shown"):
        command("--project", "alpha", "--show-once")
    assert "shown 2" in command("--project", "alpha")
    assert shown not in command("--project", "alpha")


def test_both_sign_while_the_overlap_lasts_and_then_the_new_one_alone(project: Project) -> None:
    former = webhook_secret_of(project)
    made = command("--project", "alpha", "--rotate")
    assert made != former
    assert read(project) == webhook_secrets.Secrets(made, (former,))
    assert read(project, later=DAY - timedelta(minutes=1)).former == (former,)
    assert read(project, later=DAY + timedelta(minutes=1)) == webhook_secrets.Secrets(made)


def test_a_secret_that_leaked_signs_nothing_more(project: Project) -> None:
    webhook_secret_of(project)
    made = command("--project", "alpha", "--rotate", "--overlap-hours", "0")
    assert read(project) == webhook_secrets.Secrets(made)


def test_a_second_rotation_waits_for_the_first_one_unless_it_is_for_a_leak(
    project: Project,
) -> None:
    former = webhook_secret_of(project)
    first = command("--project", "alpha", "--rotate")
    with pytest.raises(CommandError, match="has two webhook secrets until"):
        command("--project", "alpha", "--rotate")
    assert read(project) == webhook_secrets.Secrets(first, (former,))
    command("--project", "alpha", "--end-overlap")
    assert read(project) == webhook_secrets.Secrets(first)
    second = command("--project", "alpha", "--rotate")
    assert read(project).former == (first,)
    last = command("--project", "alpha", "--rotate", "--overlap-hours", "0")
    assert last not in (first, second)
    assert read(project) == webhook_secrets.Secrets(last)


@pytest.mark.parametrize("hours", ["-1", "721", "1e300", "nan", "inf"])
def test_an_overlap_has_an_end(project: Project, hours: str) -> None:
    before = webhook_secret_of(project)
    with pytest.raises(CommandError):
        command("--project", "alpha", "--rotate", "--overlap-hours", hours)
    assert read(project) == webhook_secrets.Secrets(before)


def test_there_is_no_secret_of_no_project() -> None:
    with pytest.raises(CommandError, match="no project nobody"):
        command("--project", "nobody", "--rotate")


def test_the_configured_one_is_replaced_by_configuration(settings: Any, project: Project) -> None:
    new, former = "whsec_" + "bmV3" * 10, "Zm9y" * 10
    values = {"webhook_secret": SecretStr(new), "webhook_secret_previous": SecretStr(former)}
    settings.CONFIG = settings.CONFIG.model_copy(update=values)
    default = get_default_project()
    assert read(default) == webhook_secrets.Secrets(new, ("whsec_" + former,))
    assert read(project).former == ()
    for verb in ("--show-once", "--rotate"):
        with pytest.raises(CommandError, match="WEBHOOK_SECRET_PREVIOUS"):
            command("--project", "default", verb)


def test_every_verb_is_written_down_without_the_secret(project: Project) -> None:
    shown = [
        command("--project", "alpha", "--show-once"),
        command("--project", "alpha", "--rotate"),
    ]
    command("--project", "alpha", "--end-overlap")
    entries = list(AuditEntry.objects.order_by("id").values())
    assert [entry["verb"] for entry in entries] == [
        "webhook_secret.show",
        "webhook_secret.rotate",
        "webhook_secret.end_overlap",
    ]
    assert not any(secret in str(entries) for secret in shown)


# In the console


def page_of(project: Project) -> str:
    return reverse("admin:accounts_project_webhook_secret", args=[project.pk])


def secret_in(page: str) -> str:
    found = re.search('id="webhook-secret">([^<]+)', page)
    return found[1] if found else ""


def test_the_console_shows_it_once_and_replaces_it(admin_client: Client, project: Project) -> None:
    secret = webhook_secret_of(project)
    for path in (page_of(project), reverse("admin:accounts_project_change", args=[project.pk])):
        assert secret not in admin_client.get(path).content.decode()
    assert secret_in(admin_client.post(page_of(project), {"show": "1"}).content.decode()) == secret
    again = admin_client.post(page_of(project), {"show": "1"}).content.decode()
    assert (secret_in(again), "already shown" in again) == ("", True)
    asked = {"rotate": "1", "overlap_hours": "2"}
    made = secret_in(admin_client.post(page_of(project), asked).content.decode())
    assert read(project) == webhook_secrets.Secrets(made, (secret,))
    assert made not in str(admin_client.cookies)
    admin_client.post(page_of(project), {"end": "1"})
    assert read(project) == webhook_secrets.Secrets(made)
    assert LogEntry.objects.count() == 3
    assert made not in str(list(LogEntry.objects.values()))


def test_it_takes_a_permission_of_its_own(project: Project) -> None:
    user = User.objects.create_user("bob", is_staff=True)
    everything_else = Permission.objects.exclude(codename="manage_webhook_secret")
    user.user_permissions.set(everything_else)
    client = Client()
    client.force_login(user)
    assert client.post(page_of(project), {"show": "1"}).status_code == 403
    change = client.get(reverse("admin:accounts_project_change", args=[project.pk]))
    assert "webhook-secret" not in change.content.decode()
    user.user_permissions.add(Permission.objects.get(codename="manage_webhook_secret"))
    assert client.post(page_of(project), {"show": "1"}).status_code == 200


@pytest.mark.parametrize("hours", ["", "-1", "x", "99999"])
def test_the_console_refuses_an_overlap_that_is_none(
    admin_client: Client, project: Project, hours: str
) -> None:
    before = webhook_secret_of(project)
    admin_client.post(page_of(project), {"rotate": "1", "overlap_hours": hours})
    assert read(project) == webhook_secrets.Secrets(before)


def test_refusals_say_what_can_be_done(project: Project) -> None:
    webhook_secrets.show_once(project, actor="operator:ada")
    with pytest.raises(SecretRefused, match="rotate it"):
        webhook_secrets.show_once(project, actor="operator:ada")
