"""POST /api/instances/plan knows what would become of the template, as creating would find out."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db.models import F
from django.test import Client

from accounts.models import IdempotentAnswer
from instances.catalogue import cache as catalogue
from instances.models import CachedTemplate, Instance
from instances.services import templates
from jobs.models import Job, Worker
from tests.conftest import MonotonicClock
from tests.instances.handlers.conftest import Service, novita, service
from tests.support.engine import run_due
from tests.support.fakes import CLUSTER, DOWN, PRODUCT, TEMPLATE, FakeNovita
from upstream.types import RegistryAuth

__all__ = ["novita", "service"]
pytestmark = pytest.mark.django_db
BODY = {
    "name": "a",
    "productName": PRODUCT.name,
    "templateId": TEMPLATE.id,
    "region": "US-WEST-01",
}


@pytest.fixture(autouse=True)
def shop(novita: FakeNovita) -> None:
    """The products are cached, no template is."""
    catalogue.keep_clusters([CLUSTER])
    catalogue.keep_products(CLUSTER.id, "spot", [PRODUCT])


@pytest.fixture
def worker(db: None, monotonic: MonotonicClock) -> None:
    """One that works whenever somebody waits."""
    Worker.objects.create(name="host:1:1", host="host", pid=1)
    monotonic.meanwhile = run_due


def plan(api: Client, **fields: Any) -> Any:
    answer = api.post("/api/instances/plan", {**BODY, **fields}, "application/json")
    assert answer.status_code == 200
    return answer.json()


def codes(body: Any) -> list[tuple[str, str]]:
    return [(each["code"], each.get("field", "")) for each in body["reasons"]]


@pytest.mark.usefixtures("worker")
def test_a_template_that_novita_has_is_asked_for_once_and_kept_for_the_create(
    api: Client, novita: FakeNovita
) -> None:
    for _ in range(2):
        body = plan(api)
        assert (body["reasons"], body["wouldBePlaced"]) == ([], True)
        assert body["templateChecked"] is True
    assert novita.calls == ["get_template"]
    assert CachedTemplate.objects.get().template_id == TEMPLATE.id


@pytest.mark.usefixtures("worker")
def test_a_template_that_novita_does_not_have_is_an_obstacle(
    api: Client, novita: FakeNovita
) -> None:
    for _ in range(2):
        body = plan(api, templateId="nope")
        assert codes(body) == [("TEMPLATE_NOT_FOUND", "templateId")]
        assert body["reasons"][0]["message"] == (
            "Novita has no template nope that this account may use."
        )
        assert (body["wouldBeAccepted"], body["wouldBePlaced"]) == (True, False)
        assert "chosen" not in body
        assert body["offers"]
    assert novita.calls == ["get_template"]
    # It was made meanwhile; what was not there is not believed for long.
    novita.templates["nope"] = replace(TEMPLATE, id="nope")
    cache.clear()
    assert plan(api, templateId="nope")["wouldBePlaced"] is True


@pytest.mark.usefixtures("worker")
def test_registry_credentials_that_are_not_there_are_one_too(
    api: Client, novita: FakeNovita
) -> None:
    novita.templates[TEMPLATE.id] = replace(TEMPLATE, image_auth_id="auth-9")
    assert codes(plan(api)) == [("REGISTRY_AUTH_NOT_FOUND", "templateId")]
    novita.auths = [RegistryAuth("auth-9", "acme")]
    cache.clear()
    assert plan(api)["reasons"] == []


@pytest.mark.usefixtures("worker")
def test_so_is_a_probe_of_a_port_that_is_not_published(api: Client) -> None:
    body = plan(api, readinessProbe={"type": "tcp", "port": 8888})
    assert codes(body) == [("PROBE_PORT_NOT_PUBLISHED", "readinessProbe.port")]
    assert body["wouldBePlaced"] is False
    assert plan(api, readinessProbe={"type": "http", "port": 80})["wouldBePlaced"] is True


@pytest.mark.usefixtures("worker")
def test_all_obstacles_are_told_at_once(api: Client) -> None:
    body = plan(api, templateId="nope", productName="Abacus")
    assert [code for code, _ in codes(body)] == ["PRODUCT_NOT_FOUND", "TEMPLATE_NOT_FOUND"]


@pytest.mark.usefixtures("worker")
def test_what_novita_does_not_tell_is_not_claimed(api: Client, novita: FakeNovita) -> None:
    novita.fail("get_template", DOWN)
    body = plan(api, templateId="nope")
    assert (body["templateChecked"], body["reasons"]) == (False, [])
    assert not Job.objects.live().exists()


def test_nobody_is_waited_for_where_no_worker_lives(api: Client) -> None:
    Worker.objects.create(name="host:1:1", host="host", pid=1)
    Worker.objects.update(last_seen_at=F("last_seen_at") - timedelta(minutes=1))
    assert plan(api)["templateChecked"] is False
    assert not Job.objects.exists()


@pytest.mark.usefixtures("worker")
def test_the_wait_ends_in_time_and_takes_few_threads(
    api: Client, monotonic: MonotonicClock
) -> None:
    monotonic.meanwhile = lambda: None
    began = monotonic.now
    assert plan(api)["templateChecked"] is False
    assert began + 1 < monotonic.now < began + 3
    assert Job.objects.live().get().type == "look_up_template"
    taken = [templates.SLOTS.acquire(blocking=False) for _ in range(templates.MOST_WAITING)]
    try:
        assert all(taken)
        assert plan(api, templateId="other")["templateChecked"] is False
    finally:
        for _ in taken:
            templates.SLOTS.release()
    assert Job.objects.count() == 1


def test_what_creating_has_read_is_known_without_asking(
    api: Client, novita: FakeNovita, service: Service
) -> None:
    service.placed()
    novita.calls.clear()
    assert plan(api)["templateChecked"] is True
    assert novita.calls == []


@pytest.mark.usefixtures("worker")
def test_a_plan_asks_for_the_template_and_claims_no_key(
    api: Client,
) -> None:
    """Nothing is waited for in a transaction that holds a key."""
    answer = api.post(
        "/api/instances/plan",
        json.dumps(BODY),
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    assert answer.json()["templateChecked"] is True
    assert not IdempotentAnswer.objects.exists()
    assert not Instance.objects.exists()
