"""What was fetched, how old it may be, and who fetches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db.models import F

from instances.catalogue import cache as catalogue
from instances.models import CachedProduct, CachedTemplate, Tally
from tests.instances.conftest import Configure
from tests.support.fakes import CLUSTER, PRODUCT, TEMPLATE
from upstream.types import Cluster, EnvVar, Template, TemplatePort, Tool
from upstream.vocabulary import UnknownValue

reader = catalogue.CatalogueReader
pytestmark = pytest.mark.django_db

FULL = Template(
    id="tpl-9",
    name="full",
    ports=(TemplatePort("http", 80), TemplatePort("tcp", 22)),
    envs=(EnvVar("A", "1"),),
    tools=(Tool("jupyter", 8888, "http"),),
    rootfs_size_gb=60,
)


@pytest.fixture(autouse=True)
def ttl(configure: Configure) -> None:
    cache.clear()
    configure(catalogue_ttl=60.0)


def test_products_come_back_as_they_were() -> None:
    catalogue.keep_products("c1", "spot", [PRODUCT])
    assert reader().products("c1", "spot") == [PRODUCT]


def test_templates_come_back_as_they_were() -> None:
    catalogue.keep_template("tpl-9", FULL)
    assert reader().template("tpl-9") == FULL


@pytest.mark.parametrize(("seconds", "is_fresh"), [(50, True), (70, False)])
def test_what_is_older_than_its_time_is_asked_for_again(seconds: int, is_fresh: bool) -> None:
    catalogue.keep_products("c1", "spot", [PRODUCT])
    catalogue.keep_template(TEMPLATE.id, TEMPLATE)
    older = F("fetched_at") - timedelta(seconds=seconds)
    CachedProduct.objects.update(fetched_at=older)
    CachedTemplate.objects.update(fetched_at=older)
    assert bool(reader().products("c1", "spot")) is is_fresh
    assert bool(reader().template(TEMPLATE.id)) is is_fresh


def test_clusters_and_modes_are_apart() -> None:
    catalogue.keep_products("c1", "spot", [PRODUCT])
    assert reader().products("c1", "onDemand") == []
    assert reader().products("c2", "spot") == []


def test_a_product_that_is_no_longer_listed_is_not_for_sale() -> None:
    other = replace(PRODUCT, id="prod-b")
    catalogue.keep_products("c1", "spot", [PRODUCT, other])
    catalogue.keep_products("c2", "spot", [PRODUCT])
    catalogue.keep_products("c1", "spot", [replace(other, available_deploy=False)])
    assert [found.id for found in reader().products("c1", "spot")] == ["prod-b"]
    assert reader().products("c2", "spot") == [PRODUCT]
    assert CachedProduct.objects.get(product_id="prod-b").is_available is False


def test_another_account_starts_with_nothing(configure: Configure) -> None:
    catalogue.keep_products("c1", "spot", [PRODUCT])
    catalogue.keep_template(TEMPLATE.id, TEMPLATE)
    catalogue.keep_clusters([CLUSTER])
    configure(novita_api_base_url="https://elsewhere.example.com")
    assert reader().products("c1", "spot") == []
    assert reader().template(TEMPLATE.id) is None
    assert reader().cluster("US-WEST-01") is None


def test_a_region_is_found_by_its_id_before_its_name() -> None:
    namesake = Cluster("elsewhere", "US-CA-06 (Copy)")
    catalogue.keep_clusters([namesake, CLUSTER])
    assert reader().cluster("US-WEST-01") == CLUSTER
    catalogue.keep_clusters([namesake])
    assert reader().cluster("US-WEST-01") == namesake
    assert reader().cluster("MOON-01") is None


def test_a_listing_that_failed_forgets_no_cluster() -> None:
    catalogue.keep_clusters([CLUSTER])
    catalogue.keep_clusters([])
    assert reader().cluster("US-WEST-01") == CLUSTER


def test_one_caller_fetches_until_it_lets_go() -> None:
    assert catalogue.claim_fetch("x")
    assert not catalogue.claim_fetch("x")
    assert catalogue.claim_fetch("y")
    catalogue.release_fetch("x")
    assert catalogue.claim_fetch("x")


def test_hits_and_misses_are_counted_for_each_asker_but_read_once(
    django_assert_num_queries: Any,
) -> None:
    catalogue.keep_template("tpl-9", FULL)
    found = reader()
    with django_assert_num_queries(2):
        assert [found.template("tpl-9") for _ in range(3)] == [FULL] * 3
        assert found.template("tpl-0") is None
    found.record_usage()
    found.record_usage()
    counted = {row.labels["result"]: row.value for row in Tally.objects.all()}
    assert counted == {"miss": 1, "hit": 3}


def test_what_the_release_before_does_not_know_stays_out_of_what_it_reads() -> None:
    """It builds products from every key of ``data``."""
    odd = replace(PRODUCT, spot_price_e5_usd=None, unknown_values=(UnknownValue("spotPrice", "?"),))
    catalogue.keep_products("c1", "spot", [odd])
    assert reader().products("c1", "spot") == [odd]
    assert "unknown_values" not in CachedProduct.objects.get().data
