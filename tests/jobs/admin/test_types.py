"""The console's page of job types: what waits of each, and the switch."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from jobs import control
from jobs.models import Job, PausedType
from tests.support.engine import database_time

PAGE = "/admin/jobs/pausedtype/"


def text_of(client: Client) -> str:
    return client.get(PAGE).content.decode()


def row_of(client: Client, type_: str) -> str:
    """The cells of a type's line, as one reads them."""
    (row,) = (row for row in text_of(client).split("<tr>") if f">{type_}</a>" in row)
    return " ".join(re.sub("<[^>]+>", " ", row).split())


def pause_url(type_: str = "send_webhook") -> str:
    return reverse("admin:jobs_type_pause", args=[type_])


def resume_url(type_: str = "send_webhook") -> str:
    return reverse("admin:jobs_type_resume", args=[type_])


def test_every_type_is_there_with_what_waits_and_runs(admin_client: Client) -> None:
    Job.objects.create(type="send_webhook", run_at=database_time(-timedelta(seconds=90)))
    Job.objects.create(type="send_webhook", run_at=database_time(timedelta(seconds=90)))
    Job.objects.create(type="send_webhook", status="failed", completed_at=database_time())
    lease = {"lease_token": 1, "lease_expires_at": database_time()}
    Job.objects.create(type="send_webhook", status="processing", **lease)
    row = row_of(admin_client, "send_webhook")
    assert re.fullmatch(r"send_webhook running 2 9\d s 1 of 60 1 Pause", row)
    assert row_of(admin_client, "prune_jobs") == "prune_jobs running 0 - 0 of 1 0 Pause"
    assert "Job types" in admin_client.get("/admin/").content.decode()


def test_a_type_is_paused_and_resumed_by_a_button(admin_client: Client) -> None:
    assert pause_url() in text_of(admin_client)
    admin_client.post(pause_url(), {"reason": " receiver\0 is down "})
    paused = PausedType.objects.get()
    assert (paused.type, paused.paused_by, paused.reason) == (
        *("send_webhook", "operator:admin", "receiver is down"),
    )
    row = row_of(admin_client, "send_webhook")
    assert "paused by operator:admin" in row
    assert "receiver is down" in row
    assert resume_url() in text_of(admin_client)
    assert pause_url() not in text_of(admin_client)
    admin_client.post(resume_url())
    assert not PausedType.objects.exists()
    assert pause_url() in text_of(admin_client)


def test_a_type_that_this_release_does_not_know_is_shown(admin_client: Client) -> None:
    Job.objects.create(type="gone")
    assert "unknown to this release" in row_of(admin_client, "gone")
    answer = admin_client.post(pause_url("gone"), follow=True).content.decode()
    assert "No job type is registered as gone." in answer
    PausedType.objects.create(type="gone", paused_by="ada")
    admin_client.post(resume_url("gone"))
    assert not PausedType.objects.exists()


@pytest.mark.parametrize("permissions", [[], ["view_pausedtype"]])
def test_who_may_not_change_jobs_cannot_pause_them(
    client: Client, admin_client: Client, permissions: list[str]
) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    visitor = Client()
    visitor.force_login(viewer)
    visitor.post(pause_url())
    assert not PausedType.objects.exists()
    page = visitor.get(PAGE)
    assert page.status_code == (200 if permissions else 403)
    assert pause_url() not in page.content.decode()
    control.pause("send_webhook", actor="ada")
    visitor.post(resume_url())
    assert PausedType.objects.exists()


def test_a_name_that_postgres_cannot_hold_is_unknown(admin_client: Client) -> None:
    for url in (pause_url(), resume_url()):
        answer = admin_client.post(url.replace("send_webhook", "%00"), follow=True)
        assert "No job type is registered" in answer.content.decode()


def test_nothing_is_paused_by_a_link(admin_client: Client) -> None:
    assert admin_client.get(pause_url()).status_code == 405
    assert admin_client.get(resume_url()).status_code == 405


def test_the_page_costs_a_handful_of_queries(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Job.objects.create(type="send_webhook")
    # Session, user; counts, paused, clock.
    with django_assert_num_queries(5):
        text_of(admin_client)
