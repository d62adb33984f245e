"""GET /api/products, /api/templates, /api/regions; POST /api/instances/plan."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Project
from accounts.services import create_api_key
from core.clock import database_now
from instances.api.catalogue_answers import InstancePlan, ListedProduct, ListedTemplate
from instances.catalogue import browse, cache
from instances.models import CachedProduct, Cluster, Instance
from instances.services import set_project_limits
from jobs.models import Job
from tests.conftest import client_of
from tests.instances.api.refusals import error_of
from tests.instances.api.test_read import make
from tests.support.fakes import CLUSTER, PRODUCT
from upstream.types import Cluster as UpstreamCluster
from upstream.types import Template, TemplatePort

CHEAP = replace(PRODUCT, id="prod-b", spot_price_e5_usd=20_000, on_demand_price_e5_usd=90_000)
SOLD_OUT = replace(PRODUCT, id="prod-c", available_deploy=False, inventory_state="none")
OTHER = replace(PRODUCT, id="prod-d", name="H100", billing_modes=frozenset({"onDemand"}))
ELSEWHERE = replace(PRODUCT, id="prod-e", regions=("EU-1",))
BODY = {"name": "a", "productName": "rtx 4090 24gb", "templateId": "1", "region": "US-WEST-01"}


@pytest.fixture
def shop(db: None) -> None:
    """What one region's cluster sells, listed a minute ago."""
    cache.keep_clusters([CLUSTER, UpstreamCluster("eu-1", "EU-01 (Somewhere)")])
    for mode in ("spot", "onDemand"):
        cache.keep_products(CLUSTER.id, mode, [PRODUCT, CHEAP, SOLD_OUT, OTHER, ELSEWHERE])
    ago = database_now() - timedelta(seconds=60)
    CachedProduct.objects.update(fetched_at=ago)
    Cluster.objects.update(fetched_at=ago)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", "prod-b prod-a prod-c prod-d"),
        ("sort=-price", "prod-d prod-a prod-c prod-b"),
        ("billingMode=onDemand", "prod-a prod-c prod-d prod-b"),
        ("billingMode=spot", "prod-b prod-a prod-c"),
        ("available=true", "prod-b prod-a prod-d"),
        ("available=false", "prod-c"),
        ("name=H100", "prod-d"),
        ("name=RTX%20%204090%2024gb&available=true", "prod-b prod-a"),
        ("region=US-WEST-01", "prod-b prod-a prod-c prod-d"),
        ("region=CN-HK-01", ""),
    ],
)
def test_products_are_chosen_and_sorted_by_price(
    api: Client, shop: None, query: str, ids: str
) -> None:
    body = api.get(f"/api/products?{query}").json()
    assert [row["id"] for row in body["products"]] == ids.split()
    assert body["total"] == len(ids.split())
    if ids:
        assert 60 <= body["ageSeconds"] < 600


def test_a_product_says_all_that_the_schema_names(api: Client, shop: None) -> None:
    rows = {row["id"]: row for row in api.get("/api/products").json()["products"]}
    assert set(rows["prod-c"]) == set(ListedProduct.model_fields)
    assert rows["prod-c"]["spotPricePerGpuHourUsd"] == "0.35"
    assert rows["prod-d"]["available"] == {"spot": False, "onDemand": True}
    assert "spotPricePerGpuHourUsd" not in rows["prod-d"]


def test_regions_tell_the_cluster_behind_and_the_default(api: Client, shop: None) -> None:
    body = api.get("/api/regions").json()
    rows = {row["code"]: row for row in body["regions"]}
    assert list(rows) == ["CN-HK-01", "US-WEST-01", "EU-WEST-01"]
    assert rows["US-WEST-01"]["cluster"] == {"id": "us-ca-6", "name": "US-CA-06 (California)"}
    assert (rows["CN-HK-01"]["isDefault"], rows["CN-HK-01"]["isListed"]) == (True, False)
    assert 60 <= body["ageSeconds"] < 600


def test_templates_come_without_what_may_be_secret(api: Client, db: None) -> None:
    template = Template(
        id="7",
        name="mine",
        image="docker.io/a:1",
        start_command="run --token=hidden",
        rootfs_size_gb=20,
        ports=(TemplatePort("http", 80),),
        channel="private",
        type="instance",
        min_cuda_version="12.4",
    )
    browse.keep_templates([template, replace(template, id="8", name="also")])
    browse.keep_templates([template])
    # Perhaps a listing that failed: nothing is forgotten.
    browse.keep_templates([])
    response = api.get("/api/templates")
    (row,) = response.json()["templates"]
    assert set(row) == set(ListedTemplate.model_fields)
    assert row["ports"] == [{"port": 80, "type": "http"}]
    assert b"hidden" not in response.content


@pytest.mark.parametrize("path", ["products", "templates", "regions"])
def test_before_the_first_listing_there_is_no_age(api: Client, path: str) -> None:
    body = api.get(f"/api/{path}").json()
    assert not {"asOf", "ageSeconds"} & set(body)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("products?region=NOWHERE", "region"),
        ("products?region=", "region"),
        ("products?name=%00", "name"),
        ("products?name=a&name=b", "name"),
        ("products?available=yes", "available"),
        ("products?billingMode=free", "billingMode"),
        ("products?sort=name", "sort"),
        ("products?limit=1", "limit"),
        ("templates?channel=x", "channel"),
        ("regions?%00=1", "\x00"),
    ],
)
def test_what_is_wrong_with_a_query_is_named(api: Client, path: str, field: str) -> None:
    error = error_of(api.get(f"/api/{path}"), 400)
    assert [entry["field"] for entry in error["validationErrors"]] == [field]


def plan(api: Client, **fields: Any) -> Any:
    return api.post(
        "/api/instances/plan", json.dumps({**BODY, **fields}), content_type="application/json"
    )


def test_a_plan_ranks_as_placement_would_and_writes_nothing(api: Client, shop: None) -> None:
    body = plan(api, gpuNum=2, maxPricePerHourUsd="1.00", maxRuntimeMinutes=5).json()
    assert (body["wouldBeAccepted"], body["wouldBePlaced"], body["reasons"]) == (True, True, [])
    assert [offer["productId"] for offer in body["offers"]] == ["prod-b", "prod-a"]
    assert body["chosen"] == {
        "productId": "prod-b",
        "productName": "RTX 4090 24GB",
        "pricePerGpuHourUsd": "0.20",
        "pricePerHourUsd": "0.40",
    }
    assert {each["productId"]: each["code"] for each in body["rejected"]} == {
        "prod-c": "SOLD_OUT",
        "prod-e": "NOT_IN_REGION",
    }
    assert 60 <= body["ageSeconds"] < 600
    assert set(body) == set(InstancePlan.model_fields)
    assert not Instance.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"maxPricePerHourUsd": "0.10"}, "PRICE_ABOVE_CAP"),
        ({"rootfsSize": 501}, "ROOTFS_SIZE"),
        ({"productName": "H100"}, "NOT_IN_BILLING_MODE"),
    ],
)
def test_each_rejection_has_its_code(
    api: Client, shop: None, fields: dict[str, Any], code: str
) -> None:
    body = plan(api, **fields).json()
    assert code in {each["code"] for each in body["rejected"]}
    assert (body["wouldBeAccepted"], body["wouldBePlaced"]) == (True, False)
    assert body["reasons"][0]["code"] == "NO_OPTIMAL_PRODUCT"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"productName": "Abacus"}, "PRODUCT_NOT_FOUND"),
        ({"region": "EU-WEST-01"}, "NO_OPTIMAL_PRODUCT"),
    ],
)
def test_what_is_sold_nowhere_is_told_apart(
    api: Client, shop: None, fields: dict[str, Any], code: str
) -> None:
    assert [each["code"] for each in plan(api, **fields).json()["reasons"]] == [code]


def test_a_plan_checks_the_projects_limits(api: Client, shop: None, project: Project) -> None:
    make(project)
    set_project_limits(project, live_instance_limit=1, longest_runtime_minutes=60)
    body = plan(api, maxRuntimeMinutes=90).json()
    assert body["wouldBeAccepted"] is False
    assert [each["code"] for each in body["reasons"]] == [
        "VALIDATION_ERROR",
        "INSTANCE_LIMIT_REACHED",
    ]
    assert plan(api).json()["maxRuntimeMinutes"] == 60


def test_a_plan_is_validated_like_a_request(api: Client, db: None) -> None:
    error = error_of(plan(api, gpuNum=9, color="red"), 400)
    assert {entry["field"] for entry in error["validationErrors"]} == {"gpuNum", "color"}


def test_a_key_that_may_only_look_may_plan(project: Project) -> None:
    reader = client_of(create_api_key(project=project, name="reader", scopes=["read"]))
    assert plan(reader).status_code == 200
    assert plan(client_of("nvt_wrong")).status_code == 401
