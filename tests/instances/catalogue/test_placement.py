"""Which offer is best, and why not the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instances.catalogue.place_names import Place
from instances.catalogue.placement import Ranking, explain, is_same_name, rank
from instances.domain.enums import BillingMode
from instances.domain.types import InstanceRequest
from tests.support.fakes import CLUSTER, PRODUCT
from upstream.parsers.items import read_product
from upstream.types import Cluster

SPEC = InstanceRequest(name="x", product_name="RTX 4090 24GB", template_id="t", region="US-WEST-01")


LISTED = (
    CLUSTER,
    Cluster("eu-gb-1", "EU-GB-01 (London)"),
    Cluster("cn-hongkong-1", "CN-HK-01 (Hong Kong)"),
    Cluster("us-ca-nas-2", "US-CA-NAS-02 (California)"),
    Cluster("5", "EU-01"),
)


def ranking(*products: object, spec: InstanceRequest = SPEC, **options: object) -> Ranking:
    return rank(products, spec, place=Place(CLUSTER, LISTED), **options)


def ids(found: Ranking) -> list[str]:
    return [offer.product_id for offer in found.offers]


def test_the_cheapest_in_the_requested_mode_comes_first() -> None:
    a = replace(PRODUCT, id="a", spot_price_e5_usd=2, on_demand_price_e5_usd=1)
    b = replace(PRODUCT, id="b", spot_price_e5_usd=1, on_demand_price_e5_usd=2)
    assert ids(ranking(a, b)) == ["b", "a"]
    on_demand = replace(SPEC, billing_mode=BillingMode.ON_DEMAND)
    assert ids(ranking(a, b, spec=on_demand)) == ["a", "b"]


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


@pytest.mark.parametrize("mode", BillingMode)
def test_an_offer_whose_price_is_not_readable_is_never_an_offer(mode: BillingMode) -> None:
    told = {"id": "a", "name": PRODUCT.name, "price": "0.35", "spotPrice": "1e2"}
    product = read_product({**told, "billingMethods": ["spot", "onDemand"]})
    cheap = replace(SPEC, billing_mode=mode, max_price_per_hour_e5_usd=10_000)
    found = ranking(product, spec=cheap)
    figure = "1e2" if mode == BillingMode.SPOT else "0.35"
    assert found.offers == ()
    assert found.rejections[0].reason == f"its price cannot be read: Novita says '{figure}'"


def test_another_product_is_not_even_a_rejection() -> None:
    found = ranking(replace(PRODUCT, name="A100"))
    assert not found.is_name_known
    assert ranking(replace(PRODUCT, available_deploy=False)).is_name_known


def test_what_was_refused_is_passed_over_with_the_words_of_the_refusal() -> None:
    found = ranking(PRODUCT, refused=[("prod-a", "400 no GPU")])
    assert [item.reason for item in found.rejections] == ["400 no GPU"]


OURS = (
    *("US-CA-06 (California)", "US-CA-06", "us-ca-6", "us-ca-06", "US-CA-6", "Us-Ca-006"),
    *(
        "us_ca_6",
        "US CA 06",
        "USCA06",
        " us-ca-6 ",
        "US–CA–06 \uff08California\uff09",
        "US-CA-06 California",
    ),
    *("us-ca-6 - California", "US-CA-06[California]"),
)
UNKNOWN = ("US-CA-061", "US-CA-6-1", "Mars", "California", "us-ca", "6", "MOON-01 (Moon)", "美国")
OTHERS = (
    *("EU-GB-01 (London)", "eu-gb-1", "EU-GB-1", "CN-HK-01", "cn-hongkong-1", "5", "EU-01"),
    *("us-ca-nas-2", "US-CA-NAS-02", "us-ca-nas-02 (California)"),
)


@pytest.mark.parametrize("name", OURS)
def test_a_place_is_known_in_any_spelling_of_its_id_and_name(name: str) -> None:
    assert ids(ranking(replace(PRODUCT, regions=(name,)))) == ["prod-a"]
    assert ids(ranking(replace(PRODUCT, regions=(OTHERS[0], name)))) == ["prod-a"]
    assert not Place(CLUSTER, LISTED).unknown_names([name])


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_place_that_no_cluster_is_called_is_left_to_novitas_filter(name: str) -> None:
    assert ids(ranking(replace(PRODUCT, regions=(name,)))) == ["prod-a"]
    assert Place(CLUSTER, LISTED).unknown_names([name]) == [name]


@pytest.mark.parametrize("name", OTHERS)
def test_a_place_that_is_surely_another_cluster_is_passed_over(name: str) -> None:
    (rejection,) = ranking(replace(PRODUCT, regions=(name,))).rejections
    assert rejection.reason == "not sold in US-CA-06 (California)"


@pytest.mark.parametrize("regions", [("",), (" ", "-"), ("()",)])
def test_a_name_of_no_letters_names_no_place(regions: tuple[str, ...]) -> None:
    assert ids(ranking(replace(PRODUCT, regions=regions))) == ["prod-a"]


def test_an_id_is_no_other_cluster_for_being_written_like_its_name() -> None:
    """Ours is called what another one's id is: ours is meant."""
    ours, other = Cluster("a-1", "B-01"), Cluster("b-1", "C-01")
    assert not Place(ours, (ours, other)).is_surely_not(["b-1"])


def test_names_are_compared_without_case_and_repeated_spaces() -> None:
    assert is_same_name(" RTX  4090", "rtx 4090")
    assert not is_same_name("RTX 4090", "RTX4090")


def test_the_choice_is_explained() -> None:
    dear = replace(PRODUCT, id="dear", spot_price_e5_usd=99_000)
    gone = replace(PRODUCT, id="gone", available_deploy=False)
    told = explain(ranking(dear, PRODUCT, gone), SPEC)
    assert told["reason"] == "cheapest of 2 offers for RTX 4090 24GB as spot in US-WEST-01"
    assert told["chosen"] == {"productId": "prod-a", "pricePerGpuHourUsd": "0.35"}
    assert told["alternatives"] == [{"productId": "dear", "pricePerGpuHourUsd": "0.99"}]
    assert told["rejected"] == [{"productId": "gone", "reason": "sold out"}]
    assert explain(ranking(PRODUCT), SPEC)["reason"].startswith("the only offer")
