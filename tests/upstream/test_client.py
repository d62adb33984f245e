from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from egress import USER_AGENT
from tests.upstream.sent_requests import BASE, CREATE_REQUEST, KEY, sent
from upstream import errors as e
from upstream.client import NovitaClient
from upstream.types import CreateRequest, EnvVar, Tool


def test_every_request_carries_key_type_agent_and_request_id(upstream, client):
    upstream.get(BASE + "/clusters", json={"data": []})
    client.list_clusters()
    headers = sent(upstream).headers
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Request-Id"] == "req-1"
    assert headers["User-Agent"] == USER_AGENT


def test_the_user_agent_names_the_version_of_the_project():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert f"{project['name']}/{project['version']}" == USER_AGENT


@pytest.mark.parametrize("request_id", [None, "", "a\r\nb: c", "x" * 300])
def test_a_missing_or_dangerous_request_id_is_left_out(upstream, request_id):
    upstream.get(BASE + "/clusters", json={"data": []})
    NovitaClient(BASE, KEY, request_id=request_id).list_clusters()
    assert "X-Request-Id" not in sent(upstream).headers


@pytest.mark.parametrize("base", ["http://h.test", "http://h.test/", "http://h.test/a/b/"])
def test_any_base_url_with_or_without_slash_and_prefix(upstream, base):
    upstream.get(base.rstrip("/") + "/clusters", json={"data": [{"id": "c", "name": "C"}]})
    assert [cluster.id for cluster in NovitaClient(base, KEY).list_clusters()] == ["c"]


@pytest.mark.parametrize("base", ["", "h.test", "ftp://h.test", "http://u:p@h.test", "http://h/?q"])
def test_a_senseless_base_url_is_refused(base):
    with pytest.raises(ValueError):
        NovitaClient(base, KEY)


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX: y", "schlüssel"])
def test_a_key_that_cannot_be_a_header_is_refused_without_showing_it(key):
    with pytest.raises(ValueError) as caught:
        NovitaClient(BASE, key)
    assert not key or key not in str(caught.value)


def test_products_are_asked_for_by_the_upstream_s_names(upstream, client):
    upstream.get(BASE + "/products", json={"data": [{"id": "26", "price": "67000"}, None]})
    products = client.list_products(
        cluster_id="us-ca-6", product_name="RTX 4090", billing_mode="spot", gpu_num=2
    )
    assert [product.on_demand_price_e5_usd for product in products] == [67000]
    assert sent(upstream).params == {
        "clusterId": "us-ca-6",
        "productName": "RTX 4090",
        "billingMethod": "spot",
        "gpuNum": "2",
    }
    assert [(name, item.index) for name, item in client.skipped] == [("list_products", 1)]


def test_templates_are_read_page_by_page(upstream, client):
    def answer(request):
        number = int(request.params["pageNum"])
        ids = range(100) if number == 1 else range(100, 130)
        body = {"template": [{"Id": str(i)} for i in ids], "total": "130"}
        return 200, {}, json.dumps(body)

    upstream.add_callback("GET", BASE + "/templates", callback=answer)
    assert len(client.list_templates()) == 130
    assert sent(upstream).params["channel"] == "private"
    assert sent(upstream).params["isMyCommunity"] == "true"
    assert len(upstream.calls) == 2


def test_an_unknown_template_is_a_400(upstream, client):
    upstream.get(
        BASE + "/template", json={"code": 400, "message": "template not found"}, status=400
    )
    with pytest.raises(e.TemplateNotFound):
        client.get_template("212")
    upstream.replace("GET", BASE + "/template", json={"template": {"Id": "212"}})
    assert client.get_template("212").id == "212"


def test_registry_auths_are_listed(upstream, client):
    upstream.get(BASE + "/repository/auths", json={"data": [{"id": "r", "password": "p"}]})
    assert [auth.id for auth in client.list_registry_auths()] == ["r"]


@pytest.mark.parametrize(
    ("base", "url"),
    [
        (BASE, "https://api.novita.ai/openapi/v1/billing/balance/detail"),
        ("http://h.test/pre" + "/gpu-instance/openapi/v1/", "http://h.test/pre/openapi/v1/billing/balance/detail"),
        ("http://h.test", "http://h.test/openapi/v1/billing/balance/detail"),
    ],
)  # fmt: skip
def test_the_balance_lives_under_the_sibling_base(upstream, base, url):
    upstream.get(url, json={"availableBalance": "500000"})
    assert NovitaClient(base, KEY).get_balance().available_e5_usd == 5_000_000


def test_create_sends_what_is_set_and_returns_the_id(upstream, client):
    upstream.post(BASE + "/gpu/instance/create", json={"id": "3560b7fec915bbf9"})
    create_request = CreateRequest(
        "n", "p", 2, 60, "img", ports="80/http", envs=(EnvVar("A", "b"),),
        tools=(Tool("Jupyter", 8888, "http"),), cluster_id="us-ca-6", billing_mode="spot",
    )  # fmt: skip
    assert client.create_instance(create_request, timeout_seconds=30) == "3560b7fec915bbf9"
    assert json.loads(sent(upstream).body) == {
        "name": "n",
        "productId": "p",
        "gpuNum": 2,
        "rootfsSize": 60,
        "imageUrl": "img",
        "kind": "gpu",
        "ports": "80/http",
        "envs": [{"key": "A", "value": "b"}],
        "tools": [{"name": "Jupyter", "port": "8888", "type": "http"}],
        "clusterId": "us-ca-6",
        "billingMode": "spot",
    }


@pytest.mark.parametrize("body", ["", "{}", "null", '{"id":""}', "<html>", '"x"', "[" * 5000])
def test_a_create_without_a_usable_id_has_an_unknown_outcome(upstream, client, body):
    upstream.post(BASE + "/gpu/instance/create", body=body)
    with pytest.raises(e.NovitaUnavailable) as caught:
        client.create_instance(CREATE_REQUEST)
    assert caught.value.is_outcome_unknown


def test_a_sold_out_create_is_known_not_to_have_acted(upstream, client):
    upstream.post(
        BASE + "/gpu/instance/create",
        status=400,
        json={"code": 400, "reason": "INSUFFICIENT_RESOURCE", "message": "resource insufficient"},
    )
    with pytest.raises(e.InsufficientResource) as caught:
        client.create_instance(CREATE_REQUEST)
    assert not caught.value.is_outcome_unknown
    assert not caught.value.counts_as_outage


def test_an_unknown_product_on_create_is_not_an_unknown_instance(upstream, client):
    body = {"code": 400, "reason": "RESOURCE_NOT_FOUND"}
    upstream.post(BASE + "/gpu/instance/create", status=400, json=body)
    with pytest.raises(e.NotFound) as caught:
        client.create_instance(CREATE_REQUEST)
    assert not isinstance(caught.value, e.InstanceNotFound)


def test_an_error_body_under_a_200_is_an_error(upstream, client):
    body = {"code": 400, "reason": "INSUFFICIENT_RESOURCE", "message": ""}
    upstream.post(BASE + "/gpu/instance/create", json=body)
    with pytest.raises(e.InsufficientResource):
        client.create_instance(CREATE_REQUEST)


def test_neither_key_nor_env_values_are_in_an_error(upstream, client):
    message = f"bad value hush-hush for Bearer {KEY}"
    body = {"code": 400, "reason": "X", "message": message}
    upstream.post(BASE + "/gpu/instance/create", status=400, json=body)
    with pytest.raises(e.InvalidRequest) as caught:
        client.create_instance(CREATE_REQUEST)
    assert str(caught.value) == "400 X: bad value *** for Bearer ***"
    assert KEY not in repr(client) + repr(CREATE_REQUEST) + repr(vars(caught.value))
    assert "hush" not in repr(CREATE_REQUEST)


@pytest.mark.parametrize(
    "body", ["", "{}", '{"instanceId":"ab","state":"x"}', "[]", '"ok"', "null"]
)
@pytest.mark.parametrize("verb", ["start", "stop", "restart", "delete", "migrate"])
def test_actions_accept_any_json_and_nothing(upstream, client, verb, body):
    upstream.post(f"{BASE}/gpu/instance/{verb}", body=body)
    getattr(client, f"{verb}_instance")("ab")
    assert json.loads(sent(upstream).body) == {"instanceId": "ab"}
    assert client.calls[0].endpoint == f"{verb}_instance"


def test_an_action_answered_with_a_web_page_is_unknown(upstream, client):
    upstream.post(BASE + "/gpu/instance/delete", body="<html>")
    with pytest.raises(e.EdgeAnswered) as caught:
        client.delete_instance("ab")
    assert caught.value.is_outcome_unknown


def test_the_wrong_state_is_told_apart(upstream, client):
    body = {"code": 400, "reason": "REQUEST", "message": "invalid state change"}
    upstream.post(BASE + "/gpu/instance/start", status=400, json=body)
    with pytest.raises(e.InvalidStateChange):
        client.start_instance("ab")


def test_get_asks_by_query_and_checks_the_id(upstream, client):
    upstream.get(BASE + "/gpu/instance", json={"id": "a&b=c", "status": "running"})
    assert client.get_instance("a&b=c").is_running
    assert sent(upstream).params == {"instanceId": "a&b=c"}
    with pytest.raises(e.NovitaProtocolError):
        client.get_instance("other")


def test_pages_are_asked_for_by_the_documented_names(upstream, client):
    upstream.get(BASE + "/gpu/instances", json={"instances": [{"id": "a"}], "total": "1"})
    page = client.list_instances(page=2, page_size=50, name="n", status="running")
    assert (page.total, page.instances[0].id) == (1, "a")
    assert sent(upstream).params == {
        "pageNum": "2",
        "pageSize": "50",
        "name": "n",
        "status": "running",
    }


def test_a_full_listing_reads_pages_until_the_total(upstream, client):
    def answer(request):
        number = int(request.params["pageNum"])
        ids = [f"i{n}" for n in range((number - 1) * 2, min(number * 2, 5))]
        return 200, {}, json.dumps({"instances": [{"id": i} for i in ids], "total": "5"})

    upstream.add_callback("GET", BASE + "/gpu/instances", callback=answer)
    listing = client.list_all_instances(page_size=2, name="n")
    assert (list(listing.instances), listing.is_complete) == (["i0", "i1", "i2", "i3", "i4"], True)
    assert len(client.calls) == 3


def test_the_tree_in_the_docstring_names_every_error():
    kinds = {
        name
        for name, kind in vars(e).items()
        if isinstance(kind, type) and issubclass(kind, e.NovitaError)
    }
    assert kinds == {name for name in re.findall(r"[A-Z]\w+", e.__doc__ or "") if name in vars(e)}
