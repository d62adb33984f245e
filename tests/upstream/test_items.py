"""Products, templates and credentials as they are read."""

from __future__ import annotations

import pytest

from upstream.parsers import answers, items, template_items
from upstream.parsers.template_items import read_template
from upstream.types import EnvVar, TemplatePort, Tool


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_a_product_is_read_with_string_and_integer_prices():
    product = items.read_product(
        {
            "id": "4090.16c62g",
            "name": "RTX 4090 24GB",
            "cpuPerGpu": 16,
            "memoryPerGpu": "62",
            "availableDeploy": True,
            "inventoryState": "low",
            "minRootFS": 10,
            "maxRootFS": "6144",
            "regions": ["US-CA-06 (California)"],
            "price": "35000",
            "spotPrice": "17500",
            "billingMethods": ["onDemand", "spot"],
        }
    )
    assert product is not None
    assert (product.on_demand_price_e5_usd, product.spot_price_e5_usd) == (35000, 17500)
    assert (product.cpu_per_gpu, product.memory_per_gpu_gb) == (16, 62)
    assert (product.min_rootfs_gb, product.max_rootfs_gb) == (10, 6144)
    assert product.regions == ("US-CA-06 (California)",)
    assert product.billing_modes == {"onDemand", "spot"}


def test_a_product_that_names_no_billing_modes_is_sold_as_it_has_prices():
    values = {"id": "1", "price": "200000", "spotPrice": "0"}
    assert items.read_product(values).billing_modes == {"onDemand"}
    both = items.read_product({**values, "spotPrice": 70_000, "billingMethods": []})
    assert both.billing_modes == {"onDemand", "spot"}


def test_a_product_without_spot_everywhere_and_of_unknown_stock():
    product = items.read_product({"id": "26", "price": 67000, "spotPrice": "0", "regions": {}})
    assert product is not None
    assert product.spot_price_e5_usd is None
    assert product.regions == ()
    assert product.available_deploy
    assert product.max_rootfs_gb is None


def test_a_product_out_of_stock_is_not_deployable():
    for fields in ({"inventoryState": "none"}, {"availableDeploy": False}):
        product = items.read_product({"id": "26"} | fields)
        assert product is not None
        assert not product.available_deploy


def test_a_template_is_flattened_and_hides_its_values():
    template = answers.parse_template(
        {
            "template": {
                "Id": "212",
                "name": "ubuntu",
                "image": "ubuntu:latest",
                "imageAuth": "0",
                "rootfsSize": "10",
                "ports": [{"type": "tcp", "ports": [8080, "8090"]}, {"type": "http", "port": 6000}],
                "envs": [{"key": "A", "value": " hush "}, {"env": "B", "value": ""}, {"value": 1}],
                "tools": [{"name": "Jupyter", "port": "8888", "type": "http"}],
            }
        },
        "212",
    )
    assert template.ports == (
        TemplatePort("tcp", 8080),
        TemplatePort("tcp", 8090),
        TemplatePort("http", 6000),
    )
    assert template.envs == (EnvVar("A", " hush "), EnvVar("B", ""))
    assert template.tools == (Tool("Jupyter", 8888, "http"),)
    assert (template.image_auth_id, template.rootfs_size_gb) == ("", 10)
    assert "hush" not in repr(template)


def test_a_registry_password_is_not_kept():
    auth = template_items.read_registry_auth(
        {"id": 7, "name": "n", "username": "u", "password": "hush"}
    )
    assert auth is not None
    assert (auth.id, auth.username) == ("7", "u")
    assert not any("hush" in str(getattr(auth, name)) for name in type(auth).__slots__)


@pytest.mark.parametrize(
    ("value", "is_told"),
    [
        ([], False),
        ({"a": [{}, 0, ""]}, False),
        ([[[[]]]], False),
        ({"a": [{"b": 1}]}, True),
        (nested(900), True),
    ],
    ids=["empty", "holds nothing", "nested and empty", "holds something", "nested 900 deep"],
)
def test_a_field_that_is_not_used_is_told_if_it_says_something(
    value: object, is_told: bool
) -> None:
    template = read_template({"id": "t", "odd": value})
    assert template is not None
    assert template.unused == (("odd",) if is_told else ())


def test_an_error_that_is_nested_without_end_is_none():
    instance = items.read_instance({"id": "a", "statusError": nested(900)})
    assert instance is not None
    assert instance.failure_reason is None
