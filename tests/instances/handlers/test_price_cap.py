"""The price cap, right before the create."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from instances.models import Instance
from tests.instances.handlers.conftest import Service
from tests.instances.handlers.creates import create
from tests.support.fakes import DOWN, PRODUCT, FakeNovita
from upstream.errors import InsufficientResource

pytestmark = pytest.mark.django_db

DEAR = replace(PRODUCT, spot_price_e5_usd=36_000)
CHEAP = replace(PRODUCT, id="prod-b", spot_price_e5_usd=35_500)


def capped(service: Service, **spec: Any) -> Instance:
    """Chosen from a list in which it was cheap enough; the next run checks and sends."""
    instance = service.create(max_price_per_hour_e5_usd=35_999, **spec)
    service.run("create_instance")
    return instance


def test_a_cap_is_checked_with_a_fresh_list_before_the_create(
    service: Service, novita: FakeNovita
) -> None:
    instance = capped(service)
    novita.calls.clear()
    create(service, instance)
    assert novita.calls == ["list_products", "create_instance"]
    assert instance.status == "starting"


def test_a_price_that_rose_meanwhile_sends_nothing_and_takes_the_next_offer(
    service: Service, novita: FakeNovita
) -> None:
    instance = capped(service)
    novita.products[:] = [DEAR, CHEAP]
    create(service, instance, times=4)
    assert [request.product_id for request in novita.created] == ["prod-b"]
    assert "above the price cap" in instance.refused_offers["prod-a"]


def test_where_every_price_rose_it_fails_and_was_never_created(
    service: Service, novita: FakeNovita
) -> None:
    instance = capped(service)
    novita.products[:] = [DEAR]
    create(service, instance, times=4)
    assert (novita.created, instance.status) == ([], "failed")
    assert instance.error_code == "PRICE_ABOVE_CAP"
    assert "0.36 USD an hour" in instance.error_message


def test_what_is_too_dear_from_the_start_says_so(service: Service, novita: FakeNovita) -> None:
    instance = service.create(max_price_per_hour_e5_usd=34_999)
    create(service, instance, times=2)
    assert (instance.status, instance.error_code) == ("failed", "PRICE_ABOVE_CAP")


def test_the_cap_is_for_all_gpus_together(service: Service, novita: FakeNovita) -> None:
    instance = service.create(max_price_per_hour_e5_usd=69_999, gpu_num=2)
    create(service, instance, times=2)
    assert (instance.status, instance.error_code) == ("failed", "PRICE_ABOVE_CAP")
    assert novita.created == []


def test_what_is_sold_out_below_the_cap_is_called_sold_out(
    service: Service, novita: FakeNovita
) -> None:
    novita.products.append(replace(PRODUCT, id="dear", spot_price_e5_usd=90_000))
    instance = capped(service)
    novita.fail("create_instance", InsufficientResource("400", status=400), times=3)
    create(service, instance, times=4)
    assert (instance.status, instance.error_code) == ("failed", "INSUFFICIENT_RESOURCE")


@pytest.mark.parametrize("left", [[], [replace(PRODUCT, id="other")]])
def test_an_offer_that_is_gone_from_the_fresh_list_is_not_sent(
    service: Service, novita: FakeNovita, left: list[Any]
) -> None:
    instance = capped(service)
    novita.products[:] = left
    create(service, instance)
    assert (novita.created, instance.create_step) == ([], "choose")


def test_without_a_fresh_list_nothing_is_sent_and_it_is_tried_again(
    service: Service, novita: FakeNovita
) -> None:
    instance = capped(service)
    novita.fail("list_products", DOWN)
    create(service, instance)
    assert (novita.created, instance.status, instance.create_step) == ([], "creating", "choose")
    create(service, instance)
    assert instance.status == "starting"
