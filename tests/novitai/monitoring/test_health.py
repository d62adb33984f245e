"""/health, /livez and /readyz, in every state they can be in."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from core.clock import database_now
from core.database import probe
from instances.models import UpstreamGate
from jobs.models import Job, PausedType, Worker
from novitai.monitoring import request_stats
from novitai.monitoring.request_stats import Totals, Window
from novitai.openapi.own_addresses import Health
from tests.support.refusals import failing_statements


@pytest.fixture(autouse=True)
def nothing_was_probed() -> None:
    probe.forget()


@pytest.fixture
def worker(db: None) -> Worker:
    return Worker.objects.create(
        name="w:1:1", host="w", pid=1, last_seen_at=database_now(), started_at=database_now()
    )


@pytest.fixture
def gate(db: None, settings: Any) -> UpstreamGate:
    return UpstreamGate.objects.create(account=settings.CONFIG.upstream_account)


@pytest.fixture
def no_database(transactional_db: None) -> Iterator[None]:
    """Every statement fails, as on a server that is gone."""
    with failing_statements("", OperationalError("connection refused")):
        yield


def test_all_is_well(anonymous: Client, worker: Worker) -> None:
    response = anonymous.get("/health")
    assert response.status_code == 200
    body = response.json()
    assert set(body) == set(Health.model_fields)
    assert body["status"] == "healthy"
    assert body["services"] == {"novitaApi": "up", "jobQueue": "up", "cache": "up"}
    assert set(body["performance"]) == {
        "requestsPerMinute",
        "averageResponseTime",
        "errorRate",
        "jobProcessingRate",
    }
    assert set(body["system"]["memory"]) == {"usedMB", "totalMB", "rss"}
    assert set(body["system"]["cpu"]) == {"usage", "loadAverage"}
    assert set(body["dependencies"]) == {"database", "novitaApi", "jobQueue", "cache"}
    assert body["uptime"] >= 0


def test_jobs_that_ended_in_the_last_minute_are_the_rate(anonymous: Client, worker: Worker) -> None:
    now = database_now()
    for seconds in (1, 30, 90):
        ended = now - timedelta(seconds=seconds)
        Job.objects.create(type="x", status="completed", completed_at=ended)
    assert anonymous.get("/health").json()["performance"]["jobProcessingRate"] == 2


def test_health_is_json_for_browsers_and_for_head(anonymous: Client, worker: Worker) -> None:
    page = anonymous.get("/health", headers={"accept": "text/html"})
    assert page["Content-Type"] == "application/json"
    head = anonymous.head("/health")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("silence", [timedelta(seconds=21), timedelta(days=1)])
def test_a_silent_worker_is_no_worker(
    anonymous: Client, worker: Worker, silence: timedelta
) -> None:
    Worker.objects.update(last_seen_at=database_now() - silence)
    body = anonymous.get("/health")
    assert body.status_code == 503
    assert body.json()["status"] == "unhealthy"
    assert body.json()["services"] == {"novitaApi": "up", "jobQueue": "down", "cache": "up"}


@pytest.mark.parametrize(
    ("waited", "is_up"),
    [(timedelta(minutes=4), True), (timedelta(minutes=6), False), (-timedelta(hours=1), True)],
)
def test_work_that_nobody_takes_means_that_the_queue_is_down(
    anonymous: Client, worker: Worker, waited: timedelta, is_up: bool
) -> None:
    Job.objects.create(type="x", run_at=database_now() - waited)
    services = anonymous.get("/health").json()["services"]
    assert services["jobQueue"] == ("up" if is_up else "down")


def test_work_that_operators_hold_back_does_not_mean_that_the_queue_is_down(
    anonymous: Client, worker: Worker
) -> None:
    Job.objects.create(type="x", run_at=database_now() - timedelta(hours=1))
    PausedType.objects.create(type="x", paused_by="ada")
    body = anonymous.get("/health").json()
    assert body["services"]["jobQueue"] == "up"
    assert body["dependencies"]["jobQueue"]["oldestDueSeconds"] == 0


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("success", "failure", "opened", "is_up"),
    [
        (None, None, None, True),
        (-SECOND, None, None, True),
        (None, -SECOND, None, False),
        (-2 * SECOND, -SECOND, None, False),
        (-SECOND, -2 * SECOND, None, True),
        (-SECOND, -2 * SECOND, 60 * SECOND, False),
        (-SECOND, -2 * SECOND, -SECOND, True),
        (-2 * SECOND, -SECOND, -SECOND, False),
    ],
)
def test_novita_is_what_the_workers_saw_last(
    anonymous: Client,
    worker: Worker,
    gate: UpstreamGate,
    success: timedelta | None,
    failure: timedelta | None,
    opened: timedelta | None,
    is_up: bool,
) -> None:
    now = database_now()
    gate.last_success_at = now + success if success else None
    gate.last_failure_at = now + failure if failure else None
    gate.opened_until = now + opened if opened else None
    gate.last_error = "hunter2"
    gate.save()
    response = anonymous.get("/health")
    assert response.status_code == (200 if is_up else 503)
    assert response.json()["services"]["novitaApi"] == ("up" if is_up else "down")
    assert b"hunter2" not in response.content
    # Who can accept work is ready, whatever Novita does.
    assert anonymous.get("/readyz").status_code == 200


def test_another_accounts_gate_says_nothing_about_ours(anonymous: Client, worker: Worker) -> None:
    UpstreamGate.objects.create(account="another", last_failure_at=database_now())
    assert anonymous.get("/health").status_code == 200


def test_a_broken_cache_is_told(anonymous: Client, worker: Worker, settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    response = anonymous.get("/health")
    assert response.status_code == 503
    assert response.json()["services"]["cache"] == "down"
    assert [each["code"] for each in response.json()["problems"]] == ["cache_broken"]


def test_without_the_database_health_still_answers(anonymous: Client, no_database: None) -> None:
    response = anonymous.get("/health")
    assert response.status_code == 503
    body = response.json()
    assert body["status"] == "unhealthy"
    assert body["services"] == {"novitaApi": "down", "jobQueue": "down", "cache": "down"}
    words = "The service cannot reach its database."
    assert body["problems"] == [{"code": "database_unreachable", "message": words}]
    assert body["dependencies"] == {
        "database": {"status": "down", "cause": "unreachable", "message": words}
    }


def test_livez_asks_nobody(anonymous: Client, no_database: None) -> None:
    response = anonymous.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


@pytest.mark.django_db
def test_livez_makes_no_query(
    anonymous: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert anonymous.get("/livez").status_code == 200


@pytest.mark.parametrize("has_worker", [True, False])
def test_ready_with_the_database_and_its_migrations_whether_a_worker_lives_or_not(
    anonymous: Client, worker: Worker, has_worker: bool
) -> None:
    if not has_worker:
        Worker.objects.all().delete()
    response = anonymous.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})
    assert anonymous.get("/health").status_code == (200 if has_worker else 503)


def reasons(response: Any) -> list[str]:
    assert response.status_code == 503
    body = response.json()
    assert body["status"] == "not ready"
    found: list[str] = body["reasons"]
    return found


def test_not_ready_before_the_migrations(anonymous: Client, worker: Worker) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'jobs'")
    words = "Migrations are not applied. Run manage.py migrate."
    assert reasons(anonymous.get("/readyz")) == [words]


def test_not_ready_without_the_database(anonymous: Client, no_database: None) -> None:
    assert reasons(anonymous.get("/readyz")) == ["The service cannot reach its database."]


def test_performance_is_measured_over_the_last_minute_of_probes() -> None:
    window = Window(started=Totals(at=0.0))
    first = window.performance(Totals(at=60.0, requests=60, seconds=6.0, errors=3))
    assert first == {"requestsPerMinute": 60, "averageResponseTime": 100, "errorRate": 0.05}
    # A minute later, only that minute counts.
    second = window.performance(Totals(at=120.0, requests=180, seconds=7.2, errors=3))
    assert second == {"requestsPerMinute": 120, "averageResponseTime": 10, "errorRate": 0}


def test_performance_without_requests_divides_nothing_by_nothing() -> None:
    window = Window(started=Totals(at=0.0))
    figures = window.performance(Totals(at=0.0))
    assert figures == {"requestsPerMinute": 0, "averageResponseTime": 0, "errorRate": 0}


def test_requests_are_counted(anonymous: Client) -> None:
    before = request_stats.request_totals()
    anonymous.get("/livez")
    after = request_stats.request_totals()
    assert after.requests - before.requests == 1
    assert after.seconds > before.seconds
