"""Who did what, by admin, API and command; and the pages that show it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts import audit
from accounts.models import ApiKey, AuditEntry, Project
from accounts.services import create_api_key
from core.clock import database_now
from jobs import control
from jobs.models import Job
from tests.conftest import client_of
from tests.instances.admin.conftest import make  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
Made = Any


def entry(verb: str) -> AuditEntry:
    return AuditEntry.objects.get(verb=verb)


def test_a_verb_by_the_admin_says_who_when_what_from_to_and_by_which_request(
    admin_client: Client,
    make: Made,  # noqa: F811
) -> None:
    instance = make("running")
    answer = admin_client.post(
        reverse("admin:instances_instance_stop", args=[instance.pk]),
        headers={"X-Request-ID": "night-1"},
        REMOTE_ADDR="192.0.2.7",
    )
    assert answer.status_code == 302
    found = entry("instance.stop")
    assert (found.actor, found.subject) == ("operator:admin", instance.public_id)
    assert (found.before, found.after) == ({"status": "running"}, {"status": "stopping"})
    assert (found.request_id, found.address) == ("night-1", "192.0.2.7")
    assert found.project == instance.project
    assert database_now() - found.at < timedelta(minutes=1)
    assert instance.events.get(type="instance.stopping").request_id == "night-1"


def test_the_same_verb_by_the_api_carries_the_key(make: Made, project: Project) -> None:  # noqa: F811
    instance = make("running", project=project)
    key = create_api_key(project=project, name="k", scopes=["write"])
    client_of(key).patch(
        f"/api/instances/{instance.public_id}",
        {"name": "new", "webhookUrl": "https://a.example/?token=hunter2"},
        content_type="application/json",
    )
    client_of(key).delete(f"/api/instances/{instance.public_id}")
    actor = f"key:{ApiKey.objects.get(name='k').public_id}"
    assert entry("instance.terminate").actor == entry("instance.update").actor == actor
    updated = entry("instance.update")
    assert (updated.before, updated.after["name"]) == ({"name": instance.name}, "new")
    assert "hunter2" not in str(updated.after)


def test_jobs_types_keys_and_limits_are_audited(admin_client: Client, project: Project) -> None:
    job = Job.objects.create(type="send_webhook", payload={"deliveryId": "msg_none"})
    control.cancel(job, actor="operator:ada")
    control.pause("send_webhook", actor="operator:ada", reason="flood")
    control.pause("send_webhook", actor="operator:bob", reason="again")
    control.resume("send_webhook", actor="operator:bob")
    key = create_api_key(project=project, name="leaked", actor="operator:ada")
    admin_client.post(
        reverse("admin:accounts_apikey_changelist"),
        {
            "action": "revoke_selected",
            "_selected_action": [ApiKey.objects.get(start=key[:9]).pk],
        },
    )
    admin_client.post(
        reverse("admin:accounts_project_change", args=[project.pk]), {"live_instance_limit": "7"}
    )
    assert entry("job.cancel").after["status"] == "cancelled"
    assert entry("job_type.pause").reason == "flood"
    assert entry("job_type.resume").before == {"pausedBy": "operator:ada", "reason": "flood"}
    assert entry("api_key.create").actor == "operator:ada"
    assert entry("api_key.revoke").actor == "operator:admin"
    limits = entry("project.limits")
    assert (limits.before["live_instance_limit"], limits.after["live_instance_limit"]) == (None, 7)


def test_commands_are_audited(make: Made) -> None:  # noqa: F811
    instance = make("running")
    call_command("create_api_key", name="by hand")
    call_command("terminate_all", project=instance.project.name, yes=True)
    assert entry("api_key.create").actor == "operator:manage.py"
    assert entry("instance.terminate").reason == "terminate-all was asked for"


def test_a_verb_that_is_rolled_back_was_not_done(project: Project) -> None:
    job = Job.objects.create(type="send_webhook", payload={"deliveryId": "msg_none"})
    with transaction.atomic():
        control.cancel(job, actor="operator:ada")
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


def test_history_of_a_row_is_what_was_done_to_it(admin_client: Client) -> None:
    job, other = (
        Job.objects.create(type="send_webhook", payload={"deliveryId": "msg_none"})
        for _ in range(2)
    )
    control.cancel(job, actor="operator:ada")
    control.cancel(other, actor="operator:bob")
    page = admin_client.get(reverse("admin:jobs_job_history", args=[job.pk]), follow=True)
    text = page.content.decode()
    assert "operator:ada" in text
    assert "operator:bob" not in text
    assert "have a change history" not in text


def test_history_of_what_is_not_there_is_a_404(admin_client: Client) -> None:
    assert admin_client.get(reverse("admin:jobs_job_history", args=[10**9])).status_code == 404


def test_entries_cannot_be_made_changed_or_deleted_in_the_admin(admin_client: Client) -> None:
    audit.record("job.cancel", actor="operator:ada", subject="job_1")
    row = AuditEntry.objects.get()
    for name, arguments in (("add", []), ("delete", [row.pk])):
        url = reverse(f"admin:accounts_auditentry_{name}", args=arguments)
        assert admin_client.get(url).status_code == 403
    url = reverse("admin:accounts_auditentry_change", args=[row.pk])
    assert admin_client.post(url, {"actor": "x"}).status_code == 403
    assert "job.cancel" in admin_client.get(url).content.decode()


def test_old_entries_make_room(settings: Any) -> None:
    audit.record("job.cancel", actor="operator:ada", subject="old")
    audit.record("job.cancel", actor="operator:ada", subject="new")
    AuditEntry.objects.filter(subject="old").update(at=database_now() - timedelta(days=400))
    audit.forget_old()
    assert [row.subject for row in AuditEntry.objects.all()] == ["new"]
