"""Products, clusters, stock rules, drift."""

import pytest


def products(cloud, **query):
    return {row["id"]: row for row in cloud.get("/products", **query).json["data"]}


def test_prices_are_strings_and_regions_are_display_names(cloud):
    row = products(cloud)["4090.16c62g"]
    assert (row["price"], row["spotPrice"]) == ("35000", "17500")
    assert "US-CA-06 (California)" in row["regions"]
    assert {type(price["price"]) for price in row["monthlyPrice"]} == {str}


def test_prices_can_come_as_integers_and_regions_as_codes(cloud):
    cloud.settings(price_form="integer", region_names_short=True)
    row = products(cloud)["4090.16c62g"]
    assert row["price"] == 35_000
    assert "US-CA-06" in row["regions"]


def test_a_product_sold_everywhere_names_no_region(cloud):
    assert products(cloud)["3060.8c31g"]["regions"] == []
    assert "3060.8c31g" in products(cloud, clusterId="as-in-1")


def test_the_cheapest_product_of_a_name_can_be_sold_out(cloud):
    rows = products(cloud, productName="A100-SXM4-40GB", clusterId="us-ca-6", billingMethod="spot")
    cheapest = min(rows.values(), key=lambda row: int(row["spotPrice"]))
    assert cheapest["availableDeploy"] is False
    assert cheapest["inventoryState"] == "none"
    assert sum(row["availableDeploy"] for row in rows.values()) >= 2


def test_filters_leave_out_what_does_not_fit(cloud):
    assert "4090.18c60g" not in products(cloud, clusterId="us-ca-6")
    assert "26" not in products(cloud, billingMethod="spot")
    assert set(products(cloud, productName="h100")) == {"H100-80GB.20c236g"}
    assert "4090.16c62g" not in products(cloud, minMemoryPerGpu=63)
    assert not [i for i in products(cloud) if i.startswith("cpu")]
    assert cloud.get("/products", gpuNum=9).reason == "VALIDATOR_PARAM"


def test_stock_and_state_agree(cloud):
    cloud.create(productId="4090.16c62g.os", gpuNum=5)
    row = products(cloud)["4090.16c62g.os"]
    assert (row["availableDeploy"], row["inventoryState"]) == (True, "low")
    row = products(cloud, gpuNum=2)["4090.16c62g.os"]
    assert (row["availableDeploy"], row["inventoryState"]) == (False, "none")


def test_the_catalogue_covers_the_three_home_clusters(cloud):
    clusters = {row["id"]: row["name"] for row in cloud.get("/clusters").json["data"]}
    assert clusters["us-ca-6"] == "US-CA-06 (California)"
    assert clusters["cn-hongkong-1"] == "CN-HK-01 (Hong Kong)"
    assert clusters["eu-gb-1"] == "EU-GB-01 (United Kingdom)"
    for cluster_id in ("us-ca-6", "cn-hongkong-1", "eu-gb-1"):
        rows = products(cloud, clusterId=cluster_id, productName="A100-SXM4-40GB")
        assert any(row["availableDeploy"] for row in rows.values())


def test_prices_drift_a_little_and_reproducibly(cloud):
    cloud.advance(50 * 3600)
    first = {i: row["price"] for i, row in products(cloud).items()}
    assert first == {i: row["price"] for i, row in products(cloud).items()}
    assert first["4090.16c62g"] != "35000"
    assert 0.97 * 35_000 <= int(first["4090.16c62g"]) <= 1.03 * 35_000
    cloud.settings(price_drift_percent=0)
    assert products(cloud)["4090.16c62g"]["price"] == "35000"


def test_a_drifted_price_leaves_running_instances_alone(cloud):
    instance_id = cloud.create()
    cloud.advance(50 * 3600)
    assert cloud.instance(instance_id)["instancePrice"] == "120000"


@pytest.mark.parametrize("where", [{"product_id": "A100-40GB.12c120g"}, {"cluster_id": "us-ca-6"}])
def test_a_stock_rule_empties_a_product_or_a_cluster(cloud, where):
    cloud.sim("POST", "/stock", {**where, "free": 0})
    rows = products(cloud, clusterId="us-ca-6")
    assert rows["A100-40GB.12c120g"]["availableDeploy"] is False
    assert cloud.try_create().reason == "INSUFFICIENT_RESOURCE"
    cloud.sim("DELETE", "/stock")
    cloud.create()


def test_a_hidden_rule_shows_only_when_buying(cloud):
    cloud.sim("POST", "/stock", {"free": 0, "hidden": True, "times": 2})
    cloud.sim("POST", "/stock", {"price_e5": 999_000, "hidden": True})
    assert products(cloud)["A100-40GB.12c120g"]["availableDeploy"] is True
    assert products(cloud)["A100-40GB.12c120g"]["price"] == "120000"
    assert cloud.try_create().reason == "INSUFFICIENT_RESOURCE"
    assert cloud.try_create().reason == "INSUFFICIENT_RESOURCE"
    assert cloud.instance(cloud.create())["instancePrice"] == "999000"


def test_a_rule_can_strike_one_billing_mode_only(cloud):
    cloud.sim("POST", "/stock", {"free": 0, "billing_mode": "spot"})
    assert cloud.try_create(billingMode="spot").reason == "INSUFFICIENT_RESOURCE"
    cloud.create()


def test_a_misspelt_stock_rule_or_setting_is_refused(cloud):
    for path, body in (
        ("/stock", {"productId": "x"}),
        ("/stock", {"free": "0"}),
        ("/settings", {"start_second": 1}),
        ("/settings", {"start_seconds": "1"}),
        ("/clock", {"advance": 1}),
        ("/clock", {"advance_seconds": -1}),
        ("/faults", {"effect": "explode"}),
        ("/faults", {"path": "("}),
        ("/faults", {"count": "1"}),
    ):
        assert cloud.send("POST", f"/_sim{path}", body, key="").status == 400


def test_cpu_products_have_their_own_list(cloud):
    rows = cloud.get("/cpu/products", clusterId="us-ca-6").json["data"]
    assert [row["id"] for row in rows] == ["cpu.4c8g", "cpu.16c32g"]
    assert rows[0]["price"] == "4000"
