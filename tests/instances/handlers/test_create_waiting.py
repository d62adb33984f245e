"""A create that nobody's request is to blame for waits, says why, and goes on by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client

from core.clock import database_now
from instances.models import Instance, UpstreamGate
from tests.instances.handlers.conftest import Service, age, events
from tests.instances.handlers.creates import create, job
from tests.instances.handlers.failures import (
    BUSY,
    DOWN,
    EDGE,
    FORM,
    KEY,
    LONG_DOWN,
    MONEY,
    ODD,
    QUOTA,
    REFUSED,
    set_free,
)
from tests.support.fakes import FakeNovita
from upstream.errors import NovitaError
from upstream.types import RegistryAuth

pytestmark = pytest.mark.django_db


def pause() -> timedelta:
    return job().run_at - database_now()


CATALOGUE = ["list_clusters", "get_template", "list_products", "list_registry_auths"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KEY, "NOVITA_KEY_REFUSED"),
        (EDGE, "NOVITA_EDGE"),
        (DOWN, "NOVITA_UNREACHABLE"),
        (REFUSED, "NOVITA_UNREACHABLE"),
        (FORM, "CATALOGUE_UNREADABLE"),
        (BUSY, "RATE_LIMITED"),
        (ODD, "CREATE_REFUSED"),
    ],
)
@pytest.mark.parametrize("endpoint", CATALOGUE)
def test_what_creation_reads_first_may_fail_for_a_while(
    service: Service, novita: FakeNovita, endpoint: str, error: NovitaError, code: str
) -> None:
    novita.templates["tpl-1"] = replace(novita.templates["tpl-1"], image_auth_id="a")
    novita.auths.append(RegistryAuth("a", "acme"))
    novita.fail(endpoint, error)
    instance = create(service, service.create())
    assert (instance.status, instance.wait_code) == ("creating", code)
    assert instance.waiting_since is not None
    assert str(error) in instance.wait_message
    set_free()
    instance = create(service, instance, times=3)
    assert (instance.status, instance.wait_code, instance.waiting_since) == ("starting", "", None)


CERTAIN = [
    (KEY, "NOVITA_KEY_REFUSED", 5),
    (MONEY, "BALANCE_NOT_ENOUGH", 2),
    (QUOTA, "QUOTA_EXCEEDED", 2),
    (REFUSED, "NOVITA_UNREACHABLE", 2),
    (BUSY, "RATE_LIMITED", 7),
    (ODD, "CREATE_REFUSED", 2),
    (LONG_DOWN, "NOVITA_UNREACHABLE", 15),
]


@pytest.mark.parametrize(("error", "code", "seconds"), CERTAIN)
def test_a_create_that_was_certainly_not_made_waits_and_is_sent_again(
    service: Service, novita: FakeNovita, error: NovitaError, code: str, seconds: float
) -> None:
    novita.fail("create_instance", error)
    instance = create(service, service.create(), times=2)
    assert (instance.status, instance.create_step, instance.wait_code) == (
        *("creating", "choose", code),
    )
    assert instance.posted_at is None
    assert abs(pause() - timedelta(seconds=seconds)) < timedelta(seconds=1.5)
    assert instance.refused_offers == {}
    set_free()
    instance = create(service, instance, times=2)
    assert (instance.status, instance.wait_code) == ("starting", "")
    assert len(novita.created) == 1


@pytest.mark.parametrize(("error", "code", "seconds"), CERTAIN)
def test_the_start_deadline_bounds_a_wait_and_the_failure_names_its_cause(
    service: Service, novita: FakeNovita, error: NovitaError, code: str, seconds: float
) -> None:
    novita.fail("create_instance", error, times=99)
    instance = create(service, service.create(), times=2)
    age(instance, start_deadline_at=timedelta(hours=1))
    set_free()
    instance = create(service, instance)
    failures = {
        "BALANCE_NOT_ENOUGH": "BALANCE_NOT_ENOUGH",
        "QUOTA_EXCEEDED": "QUOTA_EXCEEDED",
        "RATE_LIMITED": "STARTUP_TIMEOUT",
    }
    assert instance.status == "failed"
    assert instance.error_code == failures.get(code, "UPSTREAM_UNAVAILABLE")
    assert str(error) in instance.error_message
    assert "waited since" in instance.error_message
    assert novita.created == []


def test_money_is_asked_for_with_growing_pauses_of_a_minute_at_most(
    service: Service, novita: FakeNovita
) -> None:
    novita.fail("create_instance", MONEY, times=9)
    instance = create(service, service.create(), times=2)
    pauses = []
    for waited in (0, 8, 20, 90, 400):
        Instance.objects.update(waiting_since=database_now() - timedelta(seconds=waited))
        create(service, instance)
        pauses.append(round(pause().total_seconds()))
    assert pauses == [2, 4, 10, 45, 60]
    Instance.objects.update(start_deadline_at=database_now() + timedelta(seconds=10))
    create(service, instance)
    assert pause() < timedelta(seconds=11)


@pytest.mark.parametrize("error", [MONEY, QUOTA])
def test_balance_and_quota_name_each_other(
    service: Service, novita: FakeNovita, error: NovitaError
) -> None:
    novita.fail("create_instance", error)
    instance = create(service, service.create(), times=2)
    assert "balance" in instance.wait_message
    assert "limit" in instance.wait_message


def test_one_event_tells_a_wait_however_often_it_is_observed(
    service: Service, novita: FakeNovita
) -> None:
    novita.fail("create_instance", MONEY, times=5)
    novita.fail("create_instance", QUOTA, times=5)
    instance = create(service, service.create(), times=11)
    assert events(instance) == ["instance.creating", "instance.waiting", "instance.waiting"]
    told = [each.data["code"] for each in instance.events.filter(type="instance.waiting")]
    assert told == ["BALANCE_NOT_ENOUGH", "QUOTA_EXCEEDED"]


def test_the_api_shows_a_wait_and_its_end(
    service: Service, novita: FakeNovita, api: Client
) -> None:
    novita.fail("create_instance", KEY)
    instance = create(service, service.create(), times=2)
    shown = api.get(f"/api/instances/{instance.public_id}").json()["waiting"]
    assert shown["code"] == "NOVITA_KEY_REFUSED"
    assert shown["since"].endswith("Z")
    (listed,) = api.get("/api/instances").json()["instances"]
    assert listed["waiting"] == shown
    set_free()
    create(service, instance, times=2)
    assert "waiting" not in api.get(f"/api/instances/{instance.public_id}").json()


def test_one_that_is_ended_waits_no_more(service: Service, novita: FakeNovita) -> None:
    novita.fail("create_instance", KEY)
    instance = create(service, service.create(), times=2)
    instance = service.ask("terminate", instance)
    assert (instance.status, instance.wait_code) == ("terminated", "")


# A wave of creates while the key is refused


def test_while_the_key_is_refused_no_create_is_sent_and_each_says_why(
    service: Service, novita: FakeNovita
) -> None:
    service.placed()
    novita.calls.clear()
    novita.fail("list_clusters", KEY, times=99)
    service.run("probe_upstream")
    UpstreamGate.objects.update(reads_refused_at=database_now(), creates_retry_at=database_now())
    wave = [service.create() for _ in range(8)]
    service.run("create_instance", times=4)
    for instance in wave:
        instance.refresh_from_db()
        assert (instance.status, instance.wait_code) == ("creating", "NOVITA_KEY_REFUSED")
    assert "create_instance" not in novita.calls
    UpstreamGate.objects.update(reads_refused_at=None)
    service.run("create_instance", times=2)
    assert {each.status for each in Instance.objects.exclude(pk__lt=wave[0].pk)} == {"starting"}


def test_a_key_refused_for_creates_alone_costs_one_create_at_a_time(
    service: Service, novita: FakeNovita
) -> None:
    service.placed()
    novita.calls.clear()
    novita.fail("create_instance", KEY, times=6)
    wave = [service.create() for _ in range(6)]
    service.run("create_instance")
    service.run("create_instance", times=5)
    assert novita.calls == ["create_instance"] * 6
    held = Instance.objects.filter(wait_code="NOVITA_KEY_REFUSED", status="creating")
    assert held.count() == len(wave)
    UpstreamGate.objects.update(creates_retry_at=database_now())
    service.run("create_instance")
    assert novita.calls == ["create_instance"] * 7
    service.run("create_instance")
    assert {each.status for each in Instance.objects.filter(pk__gte=wave[0].pk)} == {"starting"}
