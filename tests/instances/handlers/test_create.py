"""create_instance: exactly one GPU, whatever is lost on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.cache import cache

from instances.handlers.create import CreateInstance
from instances.models import CachedProduct, UpstreamGate
from instances.novita import client_factory
from jobs.handler import WorkItem
from jobs.models import Job
from tests.instances.handlers.conftest import Service, age, events
from tests.instances.handlers.creates import SOLD_OUT, create, job, load
from tests.support.fakes import CLUSTER, DOWN, PRODUCT, TEMPLATE, TOO_MANY, FakeNovita
from upstream.errors import InvalidRequest, NovitaConnectionError
from upstream.types import Cluster, RegistryAuth

pytestmark = pytest.mark.django_db


# The straight way


def test_a_create_is_prefetched_submitted_and_monitored(
    service: Service, novita: FakeNovita
) -> None:
    instance = create(service, service.create(gpu_num=2))
    assert novita.calls == ["list_clusters", "get_template", "list_products"]
    assert instance.create_step == "choose"
    create(service, instance)
    assert (instance.status, instance.create_step, instance.upstream_id) == (
        *("starting", "placed", "up-1"),
    )
    (request,) = novita.created
    assert (request.name, request.product_id, request.gpu_num) == (
        *(instance.upstream_name, "prod-a", 2),
    )
    assert (request.image_url, request.ports, request.cluster_id, request.billing_mode) == (
        *(TEMPLATE.image, "80/http", CLUSTER.id, "spot"),
    )
    assert client_factory.name_signer().reference_in(request.name) == instance.reference
    assert instance.price_e5_usd == PRODUCT.spot_price_e5_usd
    assert instance.placement["chosen"]["productId"] == "prod-a"
    assert events(instance) == ["instance.creating", "instance.starting"]
    assert job().status == "completed"
    assert Job.objects.get(type="monitor_instance").subject == instance.public_id


def test_a_second_create_is_submitted_from_the_cache(service: Service, novita: FakeNovita) -> None:
    service.placed()
    novita.calls.clear()
    create(service, service.create())
    assert novita.calls == ["create_instance"]


def test_those_who_want_the_same_share_one_fetch(service: Service, novita: FakeNovita) -> None:
    for _ in range(5):
        service.create()
    service.run("create_instance", times=2)
    assert novita.calls.count("list_products") == 1
    assert len(novita.created) == 5
    assert len({request.name for request in novita.created}) == 5


def test_one_process_fetches_while_the_others_wait(service: Service, novita: FakeNovita) -> None:
    instance = service.create()
    (unit,) = load(job())
    assert isinstance(unit, WorkItem)
    create(service, instance)
    assert novita.calls == []
    assert job().status == "pending"


def test_the_cheapest_offer_is_taken(service: Service, novita: FakeNovita) -> None:
    novita.products.append(replace(PRODUCT, id="cheap", spot_price_e5_usd=1))
    service.placed()
    assert novita.created[0].product_id == "cheap"


# Refusals


def test_a_sold_out_offer_gives_way_to_the_next_and_then_to_failure(
    service: Service, novita: FakeNovita
) -> None:
    novita.products.append(replace(PRODUCT, id="dearer", spot_price_e5_usd=36_000))
    novita.fail("create_instance", SOLD_OUT, times=2)
    instance = create(service, service.create(), times=2)
    assert set(instance.refused_offers) == {"prod-a"}
    create(service, instance)
    assert set(instance.refused_offers) == {"prod-a", "dearer"}
    create(service, instance, times=2)
    assert (instance.status, instance.error_code) == ("failed", "INSUFFICIENT_RESOURCE")
    assert "sold out" in instance.error_message
    assert job().status == "failed"


def test_the_next_offer_is_posted_under_the_same_name(service: Service, novita: FakeNovita) -> None:
    novita.products.append(replace(PRODUCT, id="dearer", spot_price_e5_usd=36_000))
    novita.fail("create_instance", SOLD_OUT)
    instance = create(service, service.create(), times=3)
    assert (instance.status, instance.product_id) == ("starting", "dearer")
    assert instance.price_e5_usd == 36_000


@pytest.mark.parametrize("kind", ["clusters", "products"])
def test_an_empty_catalogue_is_no_requests_fault_and_is_waited_out(
    service: Service, novita: FakeNovita, kind: str
) -> None:
    listed = getattr(novita, kind)
    setattr(novita, kind, [])
    instance = create(service, service.create())
    assert (instance.status, instance.wait_code) == ("creating", "CATALOGUE_UNREADABLE")
    setattr(novita, kind, listed)
    assert create(service, instance, times=2).status == "starting"


@pytest.mark.parametrize(
    ("spec", "change", "code", "words"),
    [
        ({"template_id": "nope"}, {}, "TEMPLATE_NOT_FOUND", "nope"),
        ({"product_name": "H900"}, {}, "PRODUCT_NOT_FOUND", "H900"),
        ({}, {"clusters": [Cluster("x", "X")]}, "NO_OPTIMAL_PRODUCT", "US-WEST-01"),
        ({"rootfs_size_gb": 9000}, {}, "NO_OPTIMAL_PRODUCT", "at most 500 GB"),
        (
            {},
            {"templates": {"tpl-1": replace(TEMPLATE, image_auth_id="109")}},
            *("REGISTRY_AUTH_NOT_FOUND", "109"),
        ),
        (
            {},
            {"products": [replace(PRODUCT, available_deploy=False)]},
            *("NO_OPTIMAL_PRODUCT", "sold out"),
        ),
    ],
)
def test_what_cannot_be_had_fails_with_its_reason(
    service: Service,
    novita: FakeNovita,
    spec: dict[str, object],
    change: dict[str, object],
    code: str,
    words: str,
) -> None:
    for name, value in change.items():
        setattr(novita, name, value)
    instance = create(service, service.create(**spec))
    assert (instance.status, instance.error_code) == ("failed", code)
    assert words in instance.error_message
    assert events(instance) == ["instance.creating", "instance.failed"]


def test_known_registry_credentials_are_passed_on(service: Service, novita: FakeNovita) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, image_auth_id="auth-9")
    novita.auths = [RegistryAuth("auth-9", "acme")]
    service.placed()
    assert novita.created[0].image_auth_id == "auth-9"


@pytest.mark.parametrize(
    "error",
    [TOO_MANY, NovitaConnectionError("refused", is_sent=False, is_outcome_unknown=False)],
)
def test_what_was_certainly_not_made_is_posted_again(
    service: Service, novita: FakeNovita, error: Exception
) -> None:
    novita.fail("create_instance", error)
    instance = create(service, service.create(), times=2)
    assert (instance.create_step, instance.posted_at) == ("choose", None)
    UpstreamGate.objects.update(paused_until=None)
    create(service, instance)
    assert (instance.status, len(novita.created)) == ("starting", 1)


def test_an_outage_while_fetching_is_waited_out(service: Service, novita: FakeNovita) -> None:
    novita.fail("list_products", DOWN)
    instance = create(service, service.create())
    assert (instance.status, job().status) == ("creating", "pending")
    create(service, instance, times=2)
    assert instance.status == "starting"


def test_what_could_not_be_created_in_time_fails(service: Service, novita: FakeNovita) -> None:
    instance = service.create()
    age(instance, start_deadline_at=timedelta(hours=1))
    create(service, instance)
    assert (instance.status, instance.error_code) == ("failed", "STARTUP_TIMEOUT")
    assert novita.calls == []


def test_a_create_job_that_gives_up_for_another_reason_fails_the_instance(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.create()
    CreateInstance().on_give_up(job(), "The worker died in each of 5 attempts.")
    instance.refresh_from_db()
    assert (instance.status, instance.error_code) == ("failed", "INTERNAL_ERROR")
    assert not CreateInstance().is_redrivable(job())


def test_a_cluster_that_is_no_longer_listed_is_not_chosen_again(
    service: Service, novita: FakeNovita
) -> None:
    """The region moves to the cluster of its name; the old id would be asked for without end."""
    service.placed()
    novita.clusters = [replace(CLUSTER, id="us-ca-6b")]
    CachedProduct.objects.all().delete()
    cache.clear()
    instance = create(service, service.create(), times=2)
    assert (instance.status, instance.cluster_id) == ("starting", "us-ca-6b")


def test_an_offer_refused_for_another_reason_is_not_called_sold_out(
    service: Service, novita: FakeNovita
) -> None:
    novita.fail("create_instance", InvalidRequest("400 VALIDATOR_PARAM: rootfs", status=400))
    instance = create(service, service.create(), times=4)
    assert (instance.status, instance.error_code) == ("failed", "UPSTREAM_REJECTED")
    assert "rootfs" in instance.error_message
