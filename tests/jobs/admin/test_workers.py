"""The console's list of worker processes."""

from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from jobs.models import Worker
from tests.support.engine import database_time

LIST = "/admin/jobs/worker/"


def worker(pid: int, silence: int = 0, **fields: Any) -> Worker:
    seen = database_time(-timedelta(seconds=silence))
    return Worker.objects.create(
        name=f"h:{pid}:0", host="h", pid=pid, cluster="h:1", last_seen_at=seen, **fields
    )


def test_the_list_tells_who_lives_and_what_it_runs(admin_client: Client) -> None:
    running = [{"job": f"job_{n}", "type": "send_webhook", "seconds": 9.7 - n} for n in range(5)]
    worker(7, in_flight=6, running=running)
    worker(8, silence=25)
    page = admin_client.get(LIST).content.decode()
    assert "alive" in page
    assert "lost for 25 s" in page or "lost for 26 s" in page
    assert "send_webhook 10 s, send_webhook 9 s, send_webhook 8 s and 3 more" in page
    assert "h:1" in page


def test_a_workers_page_links_its_jobs(admin_client: Client) -> None:
    row = worker(7, in_flight=1, running=[{"job": "job_1", "type": "noop", "seconds": 1.0}])
    page = admin_client.get(reverse("admin:jobs_worker_change", args=[row.pk])).content.decode()
    assert "/admin/jobs/job/?q=job_1" in page
    idle = worker(8)
    assert admin_client.get(reverse("admin:jobs_worker_change", args=[idle.pk])).status_code == 200


def test_the_list_costs_the_same_for_many(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for pid in range(5):
        worker(pid)
    # Session, user, how many, the rows.
    with django_assert_num_queries(4):
        admin_client.get(LIST)
