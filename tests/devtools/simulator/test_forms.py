"""One figure or word in all its forms, and answers that are not of the thing asked for."""

import pytest


def product(cloud, product_id="4090.16c62g", **query):
    rows = cloud.get("/products", **query).json["data"]
    return next(row for row in rows if row["id"] == product_id)


@pytest.mark.parametrize(
    ("form", "price", "balance"),
    [
        ("string", "35000", "1000000000"),
        ("integer", 35_000, 1_000_000_000),
        ("decimal", "0.35", "100000"),
        ("float", 0.35, 100_000.0),
        ("empty", "", ""),
        ("null", None, None),
    ],
)
def test_amounts_come_in_every_form(cloud, form, price, balance):
    cloud.settings(price_form=form, balance_form=form, instance_price_form=form)
    row = product(cloud)
    assert row["price"] == price
    assert type(row["monthlyPrice"][0]["price"]) is type(row["spotPrice"]) is type(price)
    assert cloud.account("/billing/balance/detail").json["availableBalance"] == balance
    instance_id = cloud.create(productId="4090.16c62g", gpuNum=1)
    assert cloud.instance(instance_id)["instancePrice"] == price


def test_a_decimal_amount_is_exact_and_keeps_its_sign(cloud):
    cloud.settings(balance_form="decimal", deposit_e5_usd=-123_450)
    assert cloud.account("/billing/balance/detail").json["availableBalance"] == "-1.2345"


@pytest.mark.parametrize(
    ("form", "region"),
    [
        ("name", "US-CA-06 (California)"),
        ("id", "us-ca-6"),
        ("code", "US-CA-06"),
        ("lower", "us-ca-06 (california)"),
        ("unknown", "Zone 6 of 7"),
    ],
)
def test_a_product_names_its_clusters_in_every_form(cloud, form, region):
    cloud.settings(regions_form=form)
    assert product(cloud, clusterId="us-ca-6")["regions"][0] == region
    assert cloud.get("/clusters").json["data"][0]["name"] == "US-CA-06 (California)"


@pytest.mark.parametrize(
    ("case", "status", "port_type"),
    [
        ("upper", "RUNNING", "HTTP"),
        ("title", "Running", "Http"),
        ("blanks", " running ", " http "),
        ("", "running", "http"),
    ],
)
def test_words_come_in_every_spelling(cloud, case, status, port_type):
    cloud.settings(status_case=case, words_case=case)
    body = cloud.instance(cloud.running(billingMode="spot"))
    assert (body["status"], body["spotStatus"]) == (status, status)
    assert body["portMappings"][0]["type"] == port_type
    assert body["billingMode"].strip().lower() == "spot"
    assert body["portMappings"][0]["endpoint"].startswith("https://")
    assert product(cloud)["billingMethods"][0].strip().lower() == "ondemand"


@pytest.mark.parametrize(
    ("envelope", "read"),
    [
        ("data", lambda body: body["data"]),
        ("data.list", lambda body: body["data"]["list"]),
        ("data.instances", lambda body: body["data"]["instances"]),
        ("list", lambda body: body["list"]),
        ("array", lambda body: body),
        ("no_total", lambda body: body["instances"]),
        ("zero_total", lambda body: body["instances"] if body["total"] == 0 else None),
        ("paged", lambda body: body["instances"]),
        ("null", lambda body: body["instances"]),
    ],
)
def test_the_list_comes_in_every_envelope(cloud, envelope, read):
    instance_id = cloud.create()
    cloud.settings(list_envelope=envelope)
    assert [item["id"] for item in read(cloud.listed())] == [instance_id]


def test_the_list_may_be_an_object_without_anything(cloud):
    cloud.settings(list_envelope="empty")
    assert cloud.listed() == {}
    cloud.settings(list_envelope="null")
    assert cloud.listed() == {"instances": None, "total": "0"}


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("id", lambda body: body["id"]),
        ("instanceId", lambda body: body["instanceId"]),
        ("data", lambda body: body["data"]["id"]),
        ("id_and_more", lambda body: body["id"] if body["code"] == 0 else None),
        ("none", lambda body: None if body else ""),
    ],
)
def test_a_create_answers_its_id_in_every_place_and_the_ledger_knows_it(cloud, reply, read):
    cloud.settings(create_reply=reply)
    answered = read(cloud.try_create().json)
    ledger = cloud.sim("GET", "/ledger")
    (made,) = ledger["instances"]
    assert answered in ("", made["id"])
    assert ledger["calls"][0]["instanceId"] == answered


def test_a_get_by_id_may_answer_another_thing(cloud):
    cloud.settings(answers_another=["instance", "template"])
    one = cloud.create(name="one")
    assert cloud.instance(one)["id"] != one
    two = cloud.create(name="two")
    body = cloud.instance(two)
    assert (body["id"], body["name"]) == (one, "one")
    template = cloud.get("/template", templateId="107").json["template"]
    assert template["Id"] == "212"


def test_unknown_routes_answer_as_a_gateway_does_whatever_the_key(cloud):
    cloud.settings(unknown_route="kong_404")
    for key in ("test-key", "wrong"):
        reply = cloud.send("GET", "/gpu-instance/openapi/v1/gpu/instance/list", key=key)
        assert reply.status == 404
        assert reply.json == {"message": "no Route matched with those values"}
    assert cloud.get("/clusters").status == 200


@pytest.mark.parametrize(
    ("given", "status", "reason"),
    [
        ({}, 400, "BALANCE_NOT_ENOUGH"),
        ({"reason": "CREATE_INSTANCE_LIMIT"}, 400, "CREATE_INSTANCE_LIMIT"),
        ({"status": 403, "reason": "CREATE_GPU_NUM_LIMIT"}, 403, "CREATE_GPU_NUM_LIMIT"),
    ],
)
def test_the_account_refuses_every_purchase_until_it_is_mended(cloud, given, status, reason):
    stopped = cloud.running()
    cloud.act("stop", stopped)
    cloud.advance(3)
    cloud.settings(account_refusal=given)
    for reply in (cloud.try_create(), cloud.act("start", stopped), cloud.act("migrate", stopped)):
        assert (reply.status, reply.reason) == (status, reason)
    assert cloud.act("delete", stopped).status == 200
    cloud.settings(account_refusal=None)
    assert cloud.try_create().status == 200


def test_a_template_is_laid_down_with_any_fields_under_any_id(cloud):
    fields = {"rootfsSize": 200, "imageAuth": "robot:s3cr3t", "volumes": [{"size": 50}]}
    cloud.sim("POST", "/templates", {"Id": "900", "image": "big:1", **fields})
    body = cloud.get("/template", templateId="900").json["template"]
    assert {name: body[name] for name in fields} == fields
    assert (body["channel"], body["image"], body["envs"]) == ("private", "big:1", [])
    for nonsense in ({"image": "x"}, {"Id": "901", "colour": "red"}):
        assert cloud.send("POST", "/_sim/templates", nonsense, key="").status == 400


def test_a_create_keeps_the_registry_credentials_it_was_sent(cloud):
    instance_id = cloud.create(imageAuth="robot:s3cr3t")
    assert cloud.truth(instance_id)["imageAuth"] == "robot:s3cr3t"


@pytest.mark.parametrize(
    "nonsense",
    [
        {"price_form": "roman"},
        {"status_case": "camel"},
        {"regions_form": ""},
        {"list_envelope": "xml"},
        {"create_reply": "uuid"},
        {"unknown_route": "squid_404"},
        {"job_error_field": "text"},
        {"account_refusal": {"code": 400}},
    ],
)
def test_a_form_that_does_not_exist_is_refused_and_changes_nothing(cloud, nonsense):
    reply = cloud.send("POST", "/_sim/settings", {"gpu_quota": 3, **nonsense}, key="")
    assert reply.status == 400
    assert cloud.sim("GET", "/settings")["gpu_quota"] == 0
