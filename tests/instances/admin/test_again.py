"""Create again: the request of a failed instance, made once more, once."""

from __future__ import annotations

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry
from instances.models import Instance
from jobs.models import Job
from tests.instances.admin.conftest import Make

LIST = "/admin/instances/instance/"


def press(client: Client, instance: Instance) -> str:
    url = reverse("admin:instances_instance_again", args=[instance.pk])
    return client.post(url, follow=True).content.decode()


def made_of(failed: Instance) -> Instance:
    return Instance.objects.exclude(pk=failed.pk).get()


def test_the_same_request_is_a_new_instance_and_the_failed_one_stays(
    admin_client: Client, make: Make
) -> None:
    failed = make("failed", tags={"team": "a"}, gpu_num=2, max_runtime_minutes=30)

    answer = press(admin_client, failed)

    made = made_of(failed)
    assert (made.status, made.tags, made.gpu_num, made.max_runtime_minutes) == (
        *("creating", {"team": "a"}, 2, 30),
    )
    assert (made.name, made.project_id) == (failed.name, failed.project_id)
    assert made.reference != failed.reference
    assert Job.objects.live().get(subject=made.public_id).type == "create_instance"
    failed.refresh_from_db()
    assert failed.status == "failed"
    event = failed.events.get(type="instance.created_again")
    assert event.data == {"instanceId": made.public_id}
    assert event.request_id
    assert f"{made.public_id} is created again" in answer
    entry = AuditEntry.objects.get(verb="instance.create_again")
    assert (entry.actor, entry.subject) == ("operator:admin", failed.public_id)


def test_pressing_twice_makes_one(admin_client: Client, make: Make) -> None:
    failed = make("failed")
    press(admin_client, failed)
    answer = press(admin_client, failed)
    assert f"was already created again, as {made_of(failed).public_id}" in answer
    page = admin_client.get(reverse("admin:instances_instance_change", args=[failed.pk]))
    assert "/again/" not in page.content.decode()


def test_many_are_created_again_at_once_and_others_say_why_not(
    admin_client: Client, make: Make
) -> None:
    chosen = [make("failed"), make("failed"), make("running")]
    data = {"action": "again_selected", ACTION_CHECKBOX_NAME: [each.pk for each in chosen]}
    answer = admin_client.post(LIST, data, follow=True).content.decode()
    assert Instance.objects.filter(status="creating").count() == 2
    assert "2 instances are created again" in answer
    assert "is running and cannot be created again now" in answer


def test_the_projects_limit_holds(admin_client: Client, make: Make) -> None:
    failed = make("failed")
    failed.project.live_instance_limit = 0
    failed.project.save()
    answer = press(admin_client, failed)
    assert "its limit of 0 live instances" in answer
    assert Instance.objects.count() == 1
    assert not failed.events.filter(type="instance.created_again").exists()
