"""The console for jobs: filters, what is shown, the buttons."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from core.clock import database_now
from jobs import control
from jobs.admin import JobAdmin
from jobs.models import Job, JobStatus
from tests.jobs.rows import fill

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
    assert "<summary>traceback</summary>" in page
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
    assert "will run again" in answer.content.decode()
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.PENDING, 0)
    assert "operator:admin" in str(job.errors)
    # What is pending has no such button.
    assert retry not in admin_client.get(page_of(job)).content.decode()


def test_retrying_what_is_not_failed_is_told_and_changes_nothing(admin_client: Client) -> None:
    job = Job.objects.create(type="send_webhook")
    answer = admin_client.post(reverse("admin:jobs_job_retry", args=[job.pk]), follow=True)
    assert "is pending, not failed" in answer.content.decode()


def test_several_jobs_go_again_at_once_and_one_message_tells(admin_client: Client) -> None:
    jobs = [failed(), failed(), failed(type="create_instance")]
    data = {"action": "retry_selected", "_selected_action": [job.pk for job in jobs]}
    answer = admin_client.post(LIST, data, follow=True).content.decode()
    assert "2 jobs will run again." in answer
    assert "1 jobs were refused: A job of type create_instance cannot be run again." in answer
    assert Job.objects.filter(status=JobStatus.PENDING).count() == 2


def test_everything_that_matches_a_filter_goes_again(admin_client: Client) -> None:
    """Beyond the page that is shown, and nothing beside the filter."""
    for _ in range(JobAdmin.list_per_page + 1):
        failed()
    other = failed(subject="inst_2", priority=3)
    first = Job.objects.first()
    assert first is not None
    data = {"action": "retry_selected", "_selected_action": [first.pk], "select_across": "1"}
    answer = admin_client.post(f"{LIST}?priority=2", data, follow=True).content.decode()
    assert f"{JobAdmin.list_per_page + 1} jobs will run again." in answer
    other.refresh_from_db()
    assert other.status == JobStatus.FAILED


def test_many_refusals_are_summed_up(admin_client: Client) -> None:
    jobs = [failed(type="create_instance") for _ in range(5)]
    data = {"action": "retry_selected", "_selected_action": [job.pk for job in jobs]}
    answer = admin_client.post(LIST, data, follow=True).content.decode()
    assert "0 jobs will run again." in answer
    assert answer.count("cannot be run again") == 3
    assert "And 2 more." in answer


def test_more_than_one_request_may_do_is_told(admin_client: Client) -> None:
    """Of a type that nobody knows: a refusal counts, and costs less than a retry."""
    fill("failed", due_in="0", count=control.MOST_AT_ONCE + 1)
    pk = Job.objects.values_list("pk", flat=True)[0]
    data = {"action": "retry_selected", "_selected_action": [pk], "select_across": "1"}
    answer = admin_client.post(LIST, data, follow=True).content.decode()
    assert "0 jobs will run again. There are more matching jobs: repeat the action." in answer


def test_a_live_job_has_a_button_that_cancels_it(admin_client: Client) -> None:
    job = Job.objects.create(type="send_webhook", payload={"deliveryId": "msg_none"})
    cancel = reverse("admin:jobs_job_cancel", args=[job.pk])
    assert cancel in admin_client.get(page_of(job)).content.decode()
    answer = admin_client.post(cancel, follow=True).content.decode()
    assert "is cancelled" in answer
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED
    assert "operator:admin" in str(job.errors)
    assert cancel not in admin_client.get(page_of(job)).content.decode()


@pytest.mark.parametrize("type_", ["create_instance", "prune_jobs"])
def test_what_cannot_be_cancelled_has_no_such_button(admin_client: Client, type_: str) -> None:
    job = Job.objects.create(type=type_)
    cancel = reverse("admin:jobs_job_cancel", args=[job.pk])
    assert cancel not in admin_client.get(page_of(job)).content.decode()
    admin_client.post(cancel)
    job.refresh_from_db()
    assert job.status == JobStatus.PENDING


def test_several_jobs_are_cancelled_at_once(admin_client: Client) -> None:
    payload = {"deliveryId": "msg_none"}
    jobs = [Job.objects.create(type="send_webhook", payload=payload) for _ in range(2)]
    data = {"action": "cancel_selected", "_selected_action": [job.pk for job in jobs]}
    answer = admin_client.post(LIST, data, follow=True).content.decode()
    assert "2 jobs were cancelled." in answer
    assert Job.objects.filter(status=JobStatus.CANCELLED).count() == 2


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
    client.post(reverse("admin:jobs_job_cancel", args=[job.pk]))
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
