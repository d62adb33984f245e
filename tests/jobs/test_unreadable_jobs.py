"""Every job can be got rid of, whatever is in it; and a button that is shown works."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs import control
from jobs.models import Job
from tests.jobs.conftest import Register
from tests.jobs.rows import add
from tests.support.engine import ScriptedHandler

pytestmark = pytest.mark.django_db
FAILED: dict[str, Any] = {"status": "failed", "error": "x", "completed_at": datetime.now(UTC)}


def page(client: Client, job: Job) -> str:
    return client.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()


def url(verb: str, job: Job) -> str:
    return reverse(f"admin:jobs_job_{verb}", args=[job.pk])


@pytest.mark.parametrize(
    "payload", [{}, {"deliveryId": None}, {"deliveryId": []}, {"deliveryId": "x" * 10_000}]
)
def test_a_message_whose_payload_cannot_be_read_is_cancelled(
    admin_client: Client, payload: dict[str, Any]
) -> None:
    job = Job.objects.create(type="send_webhook", payload=payload)
    answer = admin_client.post(url("cancel", job), follow=True)
    job.refresh_from_db()
    assert (answer.status_code, job.status) == (200, "cancelled")


@pytest.mark.parametrize("error", [KeyError("k"), TypeError("t"), Job.DoesNotExist("gone")])
def test_a_handler_that_fails_to_hear_of_the_end_changes_nothing_and_stops_nobody(
    register: Register, error: Exception
) -> None:
    def fail(job: Job) -> None:
        Job.objects.filter(pk=job.pk).update(subject="half done")
        raise error

    register(handler=ScriptedHandler(on_cancel=fail))
    job = control.cancel(add(), actor="operator:ada")
    assert (job.status, job.subject) == ("cancelled", "")
    assert type(error).__name__ in job.errors[-1]["error"]


def test_a_job_of_a_type_that_this_release_does_not_know_is_cancelled(admin_client: Client) -> None:
    job = Job.objects.create(type="from_the_future", payload={"a": 1})
    assert url("cancel", job) in page(admin_client, job)
    admin_client.post(url("cancel", job))
    job.refresh_from_db()
    assert job.status == "cancelled"


def test_retry_is_offered_only_where_it_works(admin_client: Client) -> None:
    create = Job.objects.create(type="create_instance", **FAILED)
    webhook = Job.objects.create(
        type="send_webhook", **FAILED, dedupe_key="a", payload={"deliveryId": "m"}
    )
    twin = Job.objects.create(
        type="send_webhook", **FAILED, dedupe_key="b", payload={"deliveryId": "m"}
    )
    Job.objects.create(type="send_webhook", dedupe_key="b", payload={"deliveryId": "m"})
    unknown = Job.objects.create(type="from_the_future", **FAILED)

    assert url("retry", webhook) in page(admin_client, webhook)
    for job in (create, twin, unknown):
        assert url("retry", job) not in page(admin_client, job)
    assert "Use Create again on the page of its instance" in page(admin_client, create)
    assert "does not know the type of this job" in page(admin_client, unknown)


def test_whoever_may_only_look_sees_no_buttons(client: Client, db: None) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(
        *viewer.user_permissions.model.objects.filter(codename="view_job")  # type: ignore[attr-defined]
    )
    client.force_login(viewer)
    job = Job.objects.create(type="from_the_future", payload={})
    assert url("cancel", job) not in page(client, job)
