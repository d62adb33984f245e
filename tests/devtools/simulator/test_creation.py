"""Create: each rule, the order of the checks, and that nothing is deduplicated."""

import pytest


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x" * 256},
        {"name": 5},
        {"kind": ""},
        {"kind": "tpu"},
        {"productId": ""},
        {"productId": "x" * 256},
        {"gpuNum": 0},
        {"gpuNum": 9},
        {"gpuNum": 1.5},
        {"gpuNum": True},
        {"gpuNum": None},
        {"rootfsSize": 6145},
        {"rootfsSize": 0},
        {"imageUrl": ""},
        {"imageUrl": "x" * 501},
        {"imageAuth": "x" * 10_240},
        {"command": "x" * 2048},
        {"entrypoint": "x" * 2048},
        {"ports": "2222/tcp"},
        {"ports": "2224/http"},
        {"ports": "0/tcp"},
        {"ports": "65536/tcp"},
        {"ports": "80/udp"},
        {"ports": "80"},
        {"ports": ["80/http"]},
        {"ports": ",".join(f"{port}/tcp" for port in range(100, 116))},
        {"envs": [{"key": "k", "value": "v"}] * 101},
        {"envs": [{"key": "k" * 512, "value": ""}]},
        {"envs": [{"key": "k", "value": "v" * 4096}]},
        {"envs": {"k": "v"}},
        {"networkStorages": [{"Id": "x"}] * 31},
        {"networkStorages": [{"Id": "x", "mountPoint": "/" * 4096}]},
        {"month": -1},
        {"billingMode": "prepaid"},
        {"billingMode": "monthly"},
        {"autoRenew": "yes"},
        {"autoRenewMonth": 13},
        {"minCudaVersion": "twelve"},
    ],
    ids=lambda changes: "-".join(f"{k}={str(v)[:12]}" for k, v in changes.items()),
)
def test_a_field_outside_its_rule_is_refused(cloud, changes):
    reply = cloud.try_create(**changes)
    assert (reply.status, reply.reason) == (400, "VALIDATOR_PARAM")
    assert cloud.sim("GET", "/ledger")["instances"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 255},
        {"gpuNum": "2"},
        {"ports": ""},
        {"ports": "1/tcp,65535/http"},
        {"envs": [{"env": "K", "value": "v"}]},
        {"unknown": {"field": 1}},
        {"clusterId": ""},
        {"month": 0, "billingMode": ""},
        {"minCudaVersion": "12.4"},
    ],
    ids=lambda changes: "-".join(f"{k}={str(v)[:12]}" for k, v in changes.items()),
)
def test_a_field_at_its_limit_is_accepted(cloud, changes):
    assert list(cloud.try_create(**changes).json) == ["id"]


def test_a_body_that_is_no_object_is_refused(cloud):
    for body in (b"{", b"[1]", b"\xff"):
        assert cloud.post("/gpu/instance/create", body).reason == "CODEC"


def test_a_root_disk_below_ten_becomes_ten(cloud):
    assert cloud.instance(cloud.create(rootfsSize=3))["rootfsSize"] == 10


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"productId": "no-such"}, "RESOURCE_NOT_FOUND"),
        ({"clusterId": "no-such"}, "RESOURCE_NOT_FOUND"),
        ({"productId": "A100-40GB.12c96g.os"}, "INSUFFICIENT_RESOURCE"),
        ({"clusterId": "as-in-1"}, "INSUFFICIENT_RESOURCE"),
        ({"productId": "4090.16c125g.nas", "billingMode": "spot", "clusterId": ""},
         "UNSUPPORTED_BILLING_MODE"),
        ({"productId": "4090.16c62g.os", "rootfsSize": 201}, "VALIDATOR_PARAM"),
        ({"minCudaVersion": "13.0"}, "CUDA_VERSION_INCOMPATIBLE"),
        ({"imageAuthId": "no-such"}, "IMAGE_URL_OR_AUTH_ERROR"),
        ({"networkId": "no-such"}, "NETWORK_NOT_FOUND"),
        ({"networkStorages": [{"Id": "no-such"}]}, "NETWORK_STORAGE_NOT_FOUND"),
    ],
)  # fmt: skip
def test_a_create_that_cannot_be_met_is_refused_with_its_reason(cloud, changes, reason):
    reply = cloud.try_create(**changes)
    assert (reply.status, reply.reason) == (400, reason)


def test_the_refusal_for_lack_of_stock_names_the_product(cloud):
    reply = cloud.try_create(productId="A100-40GB.12c96g.os")
    assert reply.json["message"] == "resource insufficient with product A100-40GB.12c96g.os"


def test_two_equal_calls_make_two_instances(cloud):
    assert cloud.create() != cloud.create()
    assert cloud.listed()["total"] == "2"


def test_stock_is_taken_until_none_is_left(cloud):
    product = "4090.16c62g.os"
    cloud.create(productId=product, gpuNum=4)
    assert cloud.try_create(productId=product, gpuNum=3).reason == "INSUFFICIENT_RESOURCE"
    cloud.create(productId=product, gpuNum=2)
    assert cloud.try_create(productId=product, gpuNum=1).reason == "INSUFFICIENT_RESOURCE"


def test_the_gpu_quota_refuses_with_403(cloud):
    cloud.settings(gpu_quota=3)
    cloud.create()
    reply = cloud.try_create()
    assert (reply.status, reply.reason, reply.json["metadata"]) == (
        403,
        "CREATE_GPU_NUM_LIMIT",
        ["gpu"],
    )


def test_a_cpu_instance_takes_no_gpu(cloud):
    made = cloud.running(kind="cpu", productId="cpu.4c8g", gpuNum=0, clusterId="us-ca-6")
    body = cloud.instance(made)
    assert (body["kind"], body["gpuNum"], body["cpuNum"]) == ("cpu", "0", "4")


def test_strict_names_accept_letters_digits_and_hyphens_only(cloud):
    cloud.settings(strict_names=True)
    assert cloud.try_create(name="a_b").reason == "VALIDATOR_PARAM"
    cloud.create(name="a-B-9")


def test_a_foreign_instance_appears_beside_ours(cloud):
    made = cloud.sim("POST", "/instances", {"name": "theirs"})
    assert made["origin"] == "foreign"
    assert [item["name"] for item in cloud.listed()["instances"]] == ["theirs"]
