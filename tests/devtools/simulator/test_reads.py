"""The types that the service really sends, which differ from the ones it documents."""

import re

import pytest

from tests.devtools.simulator.conftest import KEY


def test_every_route_refuses_a_wrong_key_with_a_kratos_body(cloud):
    for key in ("", "wrong"):
        reply = cloud.send("GET", "/gpu-instance/openapi/v1/products", key=key)
        assert reply.status == 401
        assert reply.json["reason"] == "UNAUTHORIZED"
        assert set(reply.json) == {"code", "reason", "message", "metadata"}


def test_unconfirmed_reasons_are_selectable(cloud):
    cloud.settings(
        bad_key_status=403, unknown_product_reason="VALIDATOR_PARAM", wrong_state_reason="CONFLICT"
    )
    reply = cloud.send("GET", "/gpu-instance/openapi/v1/products", key="wrong")
    assert (reply.status, reply.reason) == (403, "INVALID_API_KEY")
    assert cloud.try_create(productId="no-such").reason == "VALIDATOR_PARAM"
    assert cloud.act("stop", cloud.create()).reason == "CONFLICT"


def test_an_unknown_route_is_a_plain_404_and_a_wrong_method_a_405(cloud):
    assert cloud.get("/gpu/instance/list").status == 404
    assert not cloud.get("/gpu/instance/list").raw.startswith(b"{")
    assert cloud.send("PUT", "/gpu-instance/openapi/v1/gpu/instances").status == 405


def test_every_documented_call_has_a_route(cloud):
    gpu = "/gpu-instance/openapi/v1"
    calls = """GET clusters,GET products,GET cpu/products,POST gpu/instance/create
    GET gpu/instances,GET gpu/instance,POST gpu/instance/edit,POST gpu/instance/start
    POST gpu/instance/stop,POST gpu/instance/delete,POST gpu/instance/restart
    POST gpu/instance/upgrade,POST gpu/instance/migrate,POST gpu/instance/renewInstance
    POST gpu/instance/transToMonthlyInstance,POST gpu/instance/setAutoRenew
    POST job/save/image,GET jobs,POST job/break,GET templates,GET template
    POST template/create,POST template/update,POST template/delete
    GET repository/auths,POST repository/auth/save,POST repository/auth/delete
    GET networkstorages/list,POST networkstorage/create,POST networkstorage/update
    POST networkstorage/delete,GET networks,GET network,POST network/create
    POST network/update,POST network/delete,POST gpu/instance/setAutoMigrate
    GET image/prewarm,POST image/prewarm,POST image/prewarm/edit,POST image/prewarm/delete
    GET image/prewarm/quota"""
    for call in re.split(r"[,\n]\s*", calls):
        method, path = call.split()
        assert cloud.send(method, f"{gpu}/{path}", key=KEY).raw[:3] != b"404", call


def test_an_instance_carries_large_numbers_and_times_as_strings(cloud):
    instance_id = cloud.running()
    body = cloud.instance(instance_id)
    assert re.fullmatch(r"[0-9a-f]{16}", body["id"])
    assert (body["cpuNum"], body["memory"], body["gpuNum"]) == ("24", "240", "2")
    assert body["instancePrice"] == "120000"
    assert body["rootfsSize"] == 100
    assert body["createdAt"] == "1800000000"
    assert body["lastStartedAt"] == "1800000020"
    assert body["lastStoppedAt"] == "0"
    assert body["endTime"] == "-1"
    assert (body["spotStatus"], body["spotReclaimTime"]) == ("", "0")
    assert body["statusError"] == {"state": "", "message": ""}
    assert isinstance(body["node"], dict)


def test_addresses_and_connect_blocks_stay_empty_until_running(cloud):
    instance_id = cloud.create(tools=[{"name": "Jupyter", "port": "8889", "type": "http"}])
    before = cloud.instance(instance_id)
    assert {mapping["endpoint"] for mapping in before["portMappings"]} == {""}
    assert before["connectComponentSSH"] == {
        "sshCommand": "",
        "password": "",
        "isRunning": False,
    }
    cloud.advance(20)
    after = cloud.instance(instance_id)
    http, tcp, jupyter = (mapping["endpoint"] for mapping in after["portMappings"])
    assert http == f"https://{instance_id}-8888.us-ca-6.gpu-instance.novita.ai"
    assert re.fullmatch(r"proxy\.us-ca-6\.gpu-instance\.novita\.ai:\d{5}", tcp)
    assert after["connectComponentJupyter"]["address"] == jupyter
    port = tcp.rpartition(":")[2]
    command = after["connectComponentSSH"]["sshCommand"]
    assert command == f"ssh -p {port} root@proxy.us-ca-6.gpu-instance.novita.ai"


def test_a_tool_on_a_port_that_is_opened_anyway_shares_its_entry(cloud):
    tools = [{"name": "Jupyter", "port": "8888", "type": "http"}]
    body = cloud.instance(cloud.running(ports="8888/http,22/tcp,22/tcp", tools=tools))
    pairs = [(mapping["port"], mapping["type"]) for mapping in body["portMappings"]]
    assert pairs == [(8888, "http"), (22, "tcp")]
    assert body["connectComponentJupyter"]["address"] == body["portMappings"][0]["endpoint"]


def test_the_list_is_thin_as_documented_without_connect_blocks_and_endpoints(cloud):
    cloud.running()
    (item,) = cloud.listed()["instances"]
    assert not [name for name in item if name.startswith("connectComponent")]
    assert item["portMappings"] == [{"port": 8888, "type": "http"}, {"port": 22, "type": "tcp"}]


def test_the_list_may_carry_endpoints_as_some_users_saw(cloud):
    cloud.settings(list_endpoints=True)
    instance_id = cloud.running()
    (item,) = cloud.listed()["instances"]
    assert item["portMappings"] == cloud.instance(instance_id)["portMappings"]
    assert item["portMappings"][0]["endpoint"]


def test_endpoints_may_be_published_later_than_running(cloud):
    cloud.settings(endpoint_lag_seconds=5)
    instance_id = cloud.running()
    assert cloud.status(instance_id) == "running"
    assert not cloud.instance(instance_id)["portMappings"][0]["endpoint"]
    cloud.advance(5)
    assert cloud.instance(instance_id)["portMappings"][0]["endpoint"]


def test_a_sparse_get_leaves_out_what_only_older_pages_document(cloud):
    cloud.settings(sparse_get=True)
    body = cloud.instance(cloud.create())
    assert "createdAt" not in body
    assert body["status"] == "pending"


def test_metrics_have_points_only_while_running(cloud):
    instance_id = cloud.running()
    cloud.advance(600)
    body = cloud.account("/metrics/gpu/instance", instanceId=instance_id).json
    assert {type(point["timestamp"]) for point in body["cpuUtilization"]} == {str}
    assert len(body["gpuUtilization"]["gpuIds"]) == 2
    early = cloud.account("/metrics/gpu/instance", instanceId=instance_id, startTime=1, endTime=9)
    assert early.json["cpuUtilization"] == []


@pytest.mark.parametrize(("status", "mode"), [(400, 400), (404, 404)])
def test_not_found_is_400_or_404_as_set(cloud, status, mode):
    cloud.settings(not_found_status=mode)
    reply = cloud.get("/gpu/instance", instanceId="ffffffffffffffff")
    assert (reply.status, reply.reason) == (status, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (400, "INSTANCE_NOT_EXIST", "instance not exist"),
        (404, "NOT_FOUNT", "instance {id} not fount"),
        (500, "UNKNOWN", "record not found"),
        (400, "", "no such instance: {id}"),
    ],
)
def test_not_found_comes_in_any_words_for_reads_actions_and_a_second_delete(
    cloud, status, reason, message
):
    cloud.settings(
        not_found_status=status, not_found_reason=reason, not_found_message=message,
        removed_visible_seconds=60,
    )  # fmt: skip
    gone = cloud.running()
    cloud.act("delete", gone)
    cloud.advance(3)
    assert cloud.status(gone) == "removed"
    answers = [cloud.act("delete", gone)]
    cloud.advance(60)
    answers += [cloud.act("delete", gone), cloud.act("start", gone)]
    answers += [cloud.get("/gpu/instance", instanceId=gone)]
    expected = (status, reason, message.replace("{id}", gone))
    assert {(a.status, a.json["reason"], a.json["message"]) for a in answers} == {expected}


def test_service_text_can_carry_unicode(cloud):
    cloud.settings(unicode=True)
    assert any("云" in cluster["name"] for cluster in cloud.get("/clusters").json["data"])


def test_a_listed_instance_lacks_nothing_but_the_connect_blocks(cloud):
    instance_id = cloud.create()
    (item,) = cloud.listed()["instances"]
    missing = set(cloud.instance(instance_id)) - set(item)
    assert missing == {
        f"connectComponent{name}" for name in ("SSH", "WebTerminal", "Jupyter", "Log")
    }
