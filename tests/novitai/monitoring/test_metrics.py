"""GET /api/metrics."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from accounts.models import Project
from accounts.services import create_api_key
from core.clock import database_now
from instances.domain.types import Cause, InstanceRequest
from instances.models import Instance, Tally, UpstreamEnding, UpstreamGate
from instances.services import create_instance
from jobs import counters
from jobs.models import Job, PausedType, Worker
from tests.conftest import client_of
from tests.support.refusals import failing_statements
from webhooks.models import Delivery

Sample = tuple[str, frozenset[tuple[str, str]]]
SPEC = InstanceRequest(
    name="a",
    product_name="b",
    template_id="1",
    region="CN-HK-01",
    webhook_url="https://a.example/",
)


def scrape(api: Client, **headers: str) -> dict[Sample, float]:
    response = api.get("/api/metrics", headers=headers)
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def value(samples: dict[Sample, float], name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def test_requests_are_counted_by_view_method_and_status(api: Client) -> None:
    labels = {"view": "instance", "method": "GET", "status": "404"}
    name = "django_http_responses_total_by_status_view_method_total"
    before = value(scrape(api), name, **labels) or 0
    api.get("/api/instances/inst_1")
    assert value(scrape(api), name, **labels) == before + 1


def test_what_no_view_foresaw_is_counted_by_its_class(
    api: Client,
) -> None:
    name, labels = "django_http_exceptions_total_by_type_total", {"type": "ZeroDivisionError"}
    before = value(scrape(api), name, **labels) or 0
    with failing_statements('"instances_instance"', ZeroDivisionError()):
        assert api.get("/api/instances/inst_1").status_code == 500
    assert value(scrape(api), name, **labels) == before + 1


def test_refusals_of_middleware_are_counted_too(api: Client, settings: Any) -> None:
    name = "django_http_responses_total_by_status_total"
    before = value(scrape(api), name, status="413") or 0
    body = b" " * (settings.CONFIG.max_body_bytes + 1)
    api.post("/api/instances", body, content_type="application/json")
    assert value(scrape(api), name, status="413") == before + 1


def test_invented_methods_make_no_series_of_their_own(api: Client) -> None:
    for method in ("BREW", "STEEP"):
        api.generic(method, "/api/instances")
    methods = {dict(labels).get("method") for _, labels in scrape(api)}
    assert not methods & {"BREW", "STEEP"}


def test_what_the_database_knows_is_there(api: Client, project: Project) -> None:
    now = database_now()
    create_instance(project=project, spec=SPEC, cause=Cause("tests"))
    Delivery.objects.update(status="failed")
    Job.objects.create(type="monitor_instance", run_at=now - timedelta(seconds=100))
    Job.objects.create(type="done", status="completed", completed_at=now)
    Job.objects.create(type="bad", status="failed", completed_at=now)
    Worker.objects.create(name="w", host="h", pid=1, last_seen_at=now, in_flight=3)
    lost = now - timedelta(minutes=1)
    Worker.objects.create(name="v", host="h", pid=2, last_seen_at=lost, in_flight=5)
    PausedType.objects.create(type="send_webhook", paused_by="ada")
    counters.count(counters.STALE_WRITES_REFUSED, 2)
    UpstreamGate.objects.create(
        hold="key_refused", account="acc", tokens_e3=2_500, opened_until=now + timedelta(hours=1)
    )
    samples = scrape(api)
    assert value(samples, "novitai_jobs", type="monitor_instance", status="pending") == 1
    assert value(samples, "novitai_jobs", type="create_instance", status="pending") == 1
    assert value(samples, "novitai_jobs", type="bad", status="failed") == 1
    assert value(samples, "novitai_jobs", type="done", status="completed") is None
    due = "novitai_oldest_due_job_seconds"
    assert 100 <= (value(samples, due, type="monitor_instance") or 0) < 200
    assert value(samples, due, type="prune_jobs") == 0
    assert value(samples, "novitai_jobs_max_in_flight", type="send_webhook") == 60
    assert value(samples, "novitai_job_type_paused", type="send_webhook") == 1
    assert value(samples, "novitai_job_type_paused", type="create_instance") == 0
    assert value(samples, "novitai_workers") == 1
    assert value(samples, "novitai_jobs_in_flight") == 3
    assert value(samples, "novitai_jobs_stale_writes_refused_total") == 2
    assert value(samples, "novitai_jobs_pruned_total") == 0
    assert value(samples, "novitai_instances", status="creating") == 1
    assert value(samples, "novitai_webhook_deliveries", status="failed") == 1
    assert value(samples, "novitai_upstream_breaker", account="acc", state="open") == 1
    assert value(samples, "novitai_upstream_breaker", account="acc", state="closed") == 0
    assert value(samples, "novitai_upstream_hold", account="acc", reason="key_refused") == 1
    assert value(samples, "novitai_upstream_hold", account="acc", reason="outage") == 0
    assert value(samples, "novitai_upstream_call_tokens", account="acc") == 2.5


def test_a_key_without_admin_sees_its_own_projects_figures_and_no_others(
    project: Project, other_project: Project
) -> None:
    now = database_now()
    for owner in (project, other_project, other_project):
        instance = create_instance(project=owner, spec=SPEC, cause=Cause("tests")).instance
        UpstreamEnding.objects.create(
            project=owner, instance=instance, account="acc", upstream_id=instance.public_id
        )
    Instance.objects.update(upstream_id=F("public_id"), upstream_status="running")
    Instance.objects.update(billing_since=now, price_e5_usd=100_000)
    Instance.objects.update(create_step="look_up", posted_at=now)
    Worker.objects.create(name="w", host="h", pid=1, last_seen_at=now, in_flight=3)
    UpstreamGate.objects.create(account="acc")
    Tally.objects.create(name="calls", value=Decimal(1))
    samples = scrape(client_of(create_api_key(project=project, name="k", scopes=["read"])))
    assert value(samples, "novitai_jobs", type="create_instance", status="pending") == 1
    assert value(samples, "novitai_instances", status="creating") == 1
    assert value(samples, "novitai_instances_held") == 1
    assert value(samples, "novitai_burn_usd_per_hour") == 1
    assert value(samples, "novitai_creates_in_doubt") == 1
    assert value(samples, "novitai_endings_open") == 1
    assert value(samples, "novitai_webhook_deliveries", status="pending") == 1
    shared = ("novitai_workers", "novitai_upstream", "novitai_calls", "novitai_orphans", "django_")
    assert not [name for name, _ in samples if name.startswith(shared)]
    admin = client_of(create_api_key(project=project, name="k", scopes=["admin"]))
    assert value(scrape(admin), "novitai_instances", status="creating") == 3


def test_tallies_are_counters_with_the_labels_of_their_rows(api: Client) -> None:
    for labels, count in (({"endpoint": "create", "outcome": "ok"}, 3), ({"endpoint": "list"}, 4)):
        Tally.objects.create(name="novita_calls", labels=labels, value=Decimal(count))
    Tally.objects.create(name="novita_call_seconds_sum", value=Decimal("1.25"))
    samples = scrape(api)
    name = "novitai_novita_calls_total"
    assert value(samples, name, endpoint="create", outcome="ok") == 3
    assert value(samples, name, endpoint="list", outcome="") == 4
    assert value(samples, "novitai_novita_call_seconds_sum_total") == 1.25


def test_scrapers_may_prefer_other_formats(api: Client) -> None:
    openmetrics = "application/openmetrics-text;version=1.0.0;q=0.5"
    assert scrape(api, accept=f"{openmetrics},text/plain;version=0.0.4;q=0.2,*/*;q=0.1")
    assert scrape(api, accept=f"{openmetrics},*/*;q=0.1")


def test_a_scrape_costs_a_handful_of_queries(
    api: Client, project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    # A key's first use is noted, and an allowance borrowed for what follows.
    scrape(api)
    # The key; a savepoint and its release; the timeout, the clock; nineteen readings.
    with django_assert_num_queries(24):
        scrape(api)


@pytest.mark.parametrize("name", ["A B", "a-b", "ü"])
def test_a_tally_with_an_odd_name_spoils_nothing(api: Client, name: str) -> None:
    Tally.objects.create(name=name, labels={"x y": 'a\n"b'}, value=Decimal(1))
    assert value(scrape(api), "novitai_workers") == 0
