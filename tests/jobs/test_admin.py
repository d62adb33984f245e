"""The console for jobs: filters, what is shown, the button."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from instances.database_clock import database_now
from jobs.models import Job, JobStatus

LIST = "/admin/jobs/job/"


def failed(**fields: Any) -> Job:
    defaults = {
        "type": "send_webhook",
        "status": "failed",
        "completed_at": database_now(),
        "attempts": 5,
        "error": "refused",
        "payload": {"deliveryId": "msg_none"},
    }
    return Job.objects.create(**{**defaults, **fields})


def page_of(job: Job) -> str:
    return reverse("admin:jobs_job_change", args=[job.pk])


def test_failed_jobs_can_be_filtered(admin_client: Client) -> None:
    job = failed()
    other = Job.objects.create(type="create_instance")
    page = admin_client.get(LIST, {"status__exact": "failed"}).content.decode()
    assert job.public_id in page
    assert other.public_id not in page
    page = admin_client.get(LIST, {"type": "create_instance"}).content.decode()
    assert other.public_id in page
    assert job.public_id not in page


def test_a_page_shows_why_and_no_secret(admin_client: Client) -> None:
    job = failed(
        payload={"url": "https://me:hunter2@a.example/h?k=hunter2", "envs": {"A": "hunter2"}},
        errors=[{"error": "refused", "traceback": "line 1"}],
    )
    page = admin_client.get(page_of(job)).content.decode()
    assert "https://a.example/h?…" in page
    assert "line 1" in page
    assert "hunter2" not in page


def test_long_payloads_are_cut(admin_client: Client) -> None:
    job = failed(payload={"text": "a" * 5_000 + "the very end"})
    page = admin_client.get(page_of(job)).content.decode()
    assert "more characters" in page
    assert "the very end" not in page


def test_the_button_sets_a_failed_job_going_and_says_who_did(admin_client: Client) -> None:
    job = failed()
    retry = reverse("admin:jobs_job_retry", args=[job.pk])
    assert retry in admin_client.get(page_of(job)).content.decode()
    answer = admin_client.post(retry, follow=True)
    assert "goes again" in answer.content.decode()
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.PENDING, 0)
    assert "operator:admin" in str(job.errors)
    # What is pending has no such button.
    assert retry not in admin_client.get(page_of(job)).content.decode()


def test_retrying_what_is_not_failed_is_told_and_changes_nothing(admin_client: Client) -> None:
    job = Job.objects.create(type="send_webhook")
    answer = admin_client.post(reverse("admin:jobs_job_retry", args=[job.pk]), follow=True)
    assert "is pending, not failed" in answer.content.decode()


def test_several_jobs_go_again_at_once(admin_client: Client) -> None:
    jobs = [failed(), failed(), Job.objects.create(type="send_webhook")]
    data = {"action": "retry_selected", "_selected_action": [job.pk for job in jobs]}
    answer = admin_client.post(LIST, data, follow=True).content.decode()
    assert answer.count("goes again") == 2
    assert answer.count("not failed") == 1
    assert Job.objects.filter(status=JobStatus.PENDING).count() == 3


def test_a_job_is_not_retried_by_a_link_or_without_permission(
    admin_client: Client, client: Client
) -> None:
    job = failed()
    retry = reverse("admin:jobs_job_retry", args=[job.pk])
    assert admin_client.get(retry).status_code == 405
    viewer = User.objects.create_user("viewer", is_staff=True)
    client.force_login(viewer)
    client.post(retry)
    assert client.post(LIST, {"action": "retry_selected"}).status_code == 403
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED


def test_rows_cannot_be_added_changed_or_deleted(admin_client: Client) -> None:
    job = failed()
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(page_of(job), {"status": "completed"}).status_code == 403
    assert admin_client.post(f"{LIST}{job.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_list_counts_no_further_than_a_page_needs(
    admin_client: Client, django_assert_num_queries: Callable[..., Any]
) -> None:
    for _ in range(3):
        failed()
    with django_assert_num_queries(4) as captured:
        admin_client.get(LIST)
    assert not [query for query in captured if "COUNT(" in query["sql"]]


def test_tables_of_the_unused_queue_are_not_offered(admin_client: Client) -> None:
    assert "django_q" not in admin_client.get("/admin/").content.decode()


@pytest.mark.parametrize("path", [LIST, "/admin/", "/admin/instances/instance/"])
def test_strangers_are_sent_to_the_door(client: Client, db: None, path: str) -> None:
    assert client.get(path)["Location"].startswith("/admin/login/")
