"""Which offer is best, and why not the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instances.choices import BillingMode
from instances.placement import Ranking, explain, is_place, is_same_name, rank
from instances.types import Wish
from tests.fakes import CLUSTER, PRODUCT

WISH = Wish(name="x", product_name="RTX 4090 24GB", template_id="t", region="US-WEST-01")


def ranking(*products: object, wish: Wish = WISH, **options: object) -> Ranking:
    return rank(products, wish, cluster_name=CLUSTER.name, **options)


def ids(found: Ranking) -> list[str]:
    return [offer.product_id for offer in found.offers]


def test_the_cheapest_in_the_wished_mode_comes_first() -> None:
    a = replace(PRODUCT, id="a", spot_price_e5_usd=2, on_demand_price_e5_usd=1)
    b = replace(PRODUCT, id="b", spot_price_e5_usd=1, on_demand_price_e5_usd=2)
    assert ids(ranking(a, b)) == ["b", "a"]
    on_demand = replace(WISH, billing_mode=BillingMode.ON_DEMAND)
    assert ids(ranking(a, b, wish=on_demand)) == ["a", "b"]


def test_equal_prices_are_told_apart_on_demand_and_then_by_id() -> None:
    c = replace(PRODUCT, id="c", on_demand_price_e5_usd=5)
    b = replace(PRODUCT, id="b", on_demand_price_e5_usd=5)
    a = replace(PRODUCT, id="a", on_demand_price_e5_usd=None)
    assert ids(ranking(a, c, b)) == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"regions": ("EU-GB-01 (London)",)}, "not sold in US-CA-06 (California)"),
        ({"billing_modes": frozenset({"onDemand"})}, "not offered as spot"),
        ({"spot_price_e5_usd": None}, "not offered as spot"),
        ({"available_deploy": False}, "sold out"),
        ({"min_rootfs_gb": 61}, "needs at least 61 GB of root disk"),
        ({"max_rootfs_gb": 59}, "allows at most 59 GB of root disk"),
    ],
)
def test_what_does_not_fit_says_why(change: dict[str, object], reason: str) -> None:
    found = ranking(replace(PRODUCT, **change))
    assert found.offers == ()
    assert [item.reason for item in found.rejections] == [reason]


@pytest.mark.parametrize(
    "change",
    [
        {"regions": ()},
        {"min_rootfs_gb": 60},
        {"max_rootfs_gb": 60},
        {"max_rootfs_gb": None},
        {"on_demand_price_e5_usd": None},
        {"name": "rtx  4090 24gb"},
    ],
)
def test_what_fits_exactly_fits(change: dict[str, object]) -> None:
    assert ids(ranking(replace(PRODUCT, **change))) == ["prod-a"]


def test_another_product_is_not_even_a_rejection() -> None:
    found = ranking(replace(PRODUCT, name="A100"))
    assert not found.is_name_known
    assert ranking(replace(PRODUCT, available_deploy=False)).is_name_known


def test_what_was_refused_is_passed_over_with_the_words_of_the_refusal() -> None:
    found = ranking(PRODUCT, refused=[("prod-a", "400 no GPU")])
    assert [item.reason for item in found.rejections] == ["400 no GPU"]


def test_places_are_compared_by_their_code() -> None:
    assert is_place("US-CA-06 (California)", "us-ca-06")
    assert not is_place("US-CA-061", "US-CA-06")
    assert is_same_name(" RTX  4090", "rtx 4090")
    assert not is_same_name("RTX 4090", "RTX4090")


def test_the_choice_is_explained() -> None:
    dear = replace(PRODUCT, id="dear", spot_price_e5_usd=99_000)
    gone = replace(PRODUCT, id="gone", available_deploy=False)
    told = explain(ranking(dear, PRODUCT, gone), WISH)
    assert told["reason"] == "cheapest of 2 offers for RTX 4090 24GB as spot in US-WEST-01"
    assert told["chosen"] == {"productId": "prod-a", "pricePerGpuHourUsd": "0.35"}
    assert told["alternatives"] == [{"productId": "dear", "pricePerGpuHourUsd": "0.99"}]
    assert told["rejected"] == [{"productId": "gone", "reason": "sold out"}]
    assert explain(ranking(PRODUCT), WISH)["reason"].startswith("the only offer")
