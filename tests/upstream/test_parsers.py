from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upstream.errors import UnreadableAnswer
from upstream.parsers import answers, items, template_items
from upstream.types import PortMapping

FIELDS = st.sampled_from(
    [
        *("id", "Id", "name", "status", "data", "instances", "instance", "template", "total"),
        *("statusError", "state", "message", "portMappings", "port", "ports", "endpoint", "type"),
        *("price", "spotPrice", "regions", "createdAt", "gpuNum", "envs", "key", "value", "tools"),
        *("connectComponentJupyter", "address", "availableBalance", "spotReclaimTime", "useTime"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["", "0", "-1", "35000", "9" * 30, "1e9", "\ud800", "\x00", "http://[", "٣"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS | st.text(), inner),
    max_leaves=25,
)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_whatever_the_json_only_an_unreadable_answer_comes_out(body):
    readers = (
        items.read_cluster,
        items.read_product,
        template_items.read_template,
        template_items.read_registry_auth,
        items.read_instance,
    )
    for reader in readers:
        reader(body)
    for parse in (
        answers.parse_instance_page,
        lambda value: answers.parse_template(value, "212"),
        answers.parse_created_id,
        answers.parse_balance,
        lambda value: answers.parse_instance(value, "ab"),
        *(lambda value, read=read: answers.parse_list(value, "data", read) for read in readers),
    ):
        with suppress(UnreadableAnswer):
            parse(body)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_what_is_read_of_an_instance_can_be_stored(body):
    instance = items.read_instance({"id": "ab", "name": body, "status": body, "useTime": body})
    assert instance is not None
    assert "\x00" not in instance.name
    instance.name.encode()
    assert 0 <= instance.use_time_seconds < 2**63


INSTANCE = {
    "id": "3560b7fec915bbf9",
    "name": "n",
    "status": "running",
    "statusError": {"state": "", "message": ""},
    "clusterId": "us-ca-6",
    "clusterName": "US-CA-06 (California)",
    "productId": "4090.16c62g",
    "productName": "RTX 4090 24GB",
    "gpuNum": "2",
    "cpuNum": "32",
    "billingMode": "spot",
    "imageUrl": "img",
    "rootfsSize": 60,
    "portMappings": [
        {"port": 80, "endpoint": "x-80.gpu.test", "type": "http"},
        {"port": "22", "endpoint": "", "type": "tcp"},
        {"port": "many"},
        None,
    ],
    "connectComponentSSH": {"sshCommand": "ssh -p 1 root@h", "password": "hush-ssh"},
    "connectComponentWebTerminal": {"address": "https://u:hush-term@t.test/x", "password": "hush"},
    "connectComponentJupyter": {"port": 8888, "address": "https://j.test"},
    "sshPassword": "hush-top",
    "envs": [{"key": "TOKEN", "value": "hush-env"}],
    "spotStatus": "notified",
    "spotReclaimTime": "1785780950",
    "createdAt": "1785780000",
    "lastStartedAt": "0",
    "lastStoppedAt": "",
    "useTime": "950",
    "instancePrice": "17500",
    "unheardOf": {"a": 1},
}


def test_an_instance_is_read_and_its_passwords_are_not():
    instance = answers.parse_instance(INSTANCE, "3560b7fec915bbf9")
    assert instance.is_running
    assert (instance.gpu_num, instance.rootfs_size_gb, instance.price_e5_usd) == (2, 60, 17500)
    assert instance.port_mappings == (
        PortMapping(80, "x-80.gpu.test", "http"),
        PortMapping(22, "", "tcp"),
    )
    assert [port.address for port in instance.port_mappings] == ["https://x-80.gpu.test", ""]
    assert instance.ssh_command == "ssh -p 1 root@h"
    assert instance.web_terminal_url == "https://t.test/x"
    assert instance.spot_reclaim_at == datetime(2026, 8, 3, 18, 15, 50, tzinfo=UTC)
    assert instance.last_started_at is None
    assert instance.use_time_seconds == 950
    every_value = [getattr(instance, name) for name in type(instance).__slots__]
    assert "hush" not in repr(every_value)


def test_a_port_that_is_told_twice_is_kept_once_with_the_endpoint_it_has() -> None:
    told = [
        {"port": 8888, "endpoint": "", "type": "http"},
        {"port": 8888, "endpoint": "x-8888.gpu.test", "type": "http"},
        {"port": 8888, "endpoint": "proxy.gpu.test:30001", "type": "tcp"},
        {"port": 8888, "endpoint": "", "type": "http"},
    ]
    instance = answers.read_instance({"id": "a", "portMappings": told})
    assert instance is not None
    assert instance.port_mappings == (
        PortMapping(8888, "x-8888.gpu.test", "http"),
        PortMapping(8888, "proxy.gpu.test:30001", "tcp"),
    )


@pytest.mark.parametrize("wrap", ["instance", "data"])
def test_an_instance_in_an_envelope_is_found(wrap):
    assert answers.parse_instance({wrap: {"id": "ab"}}, "ab").id == "ab"


def test_an_id_in_another_case_is_the_same_and_is_read_as_it_was_asked_for():
    assert answers.parse_instance({"id": "3560B7FE"}, "3560b7fe").id == "3560b7fe"


def test_another_instance_than_the_one_asked_for_is_refused():
    with pytest.raises(UnreadableAnswer, match="another instance"):
        answers.parse_instance(INSTANCE, "ffff")


def words(status: str) -> tuple[bool, bool, bool, bool]:
    instance = answers.parse_instance({"id": "ab", "status": status}, "ab")
    return (
        instance.is_running,
        instance.is_stopped,
        instance.is_leaving_word,
        instance.is_gone_word,
    )


def test_leaving_is_not_gone():
    assert words("running") == (True, False, False, False)
    assert words("exited") == (False, True, False, False)
    assert words("toRemove") == words("removing") == (False, False, True, False)
    assert words("removed") == (False, False, False, True)
    assert words("toRestart") == words("") == (False, False, False, False)


def test_the_failure_reason_prefers_the_message_and_is_none_when_blank():
    def reason(**error: str) -> str | None:
        return answers.parse_instance({"id": "ab", "statusError": error}, "ab").failure_reason

    assert reason(state="IMAGE", message="pull\nfailed") == "pull failed"
    assert reason(state="IMAGE", message="") == "IMAGE"
    assert reason(state="", message="") is None
    assert reason(state="normal", message="None") is None


def test_one_broken_item_does_not_lose_the_others():
    body = {"data": [{"id": "a"}, 5, None, {"id": ""}, {"id": "has space"}, {"id": "b"}]}
    parsed = answers.parse_list(body, "data", items.read_cluster)
    assert [item.id for item in parsed.items] == ["a", "b"]
    assert [item.index for item in parsed.skipped] == [1, 2, 3, 4]


@pytest.mark.parametrize("body", [None, "x", {}, {"data": {}}, {"data": "x"}, {"total": 3}])
def test_a_broken_envelope_is_unreadable(body):
    with pytest.raises(UnreadableAnswer):
        answers.parse_list(body, "data", items.read_cluster)


@pytest.mark.parametrize("body", [{"data": []}, {"data": None}, {"total": "0"}])
def test_an_empty_list_comes_in_three_spellings(body):
    assert answers.parse_list(body, "data", items.read_cluster).items == ()


@pytest.mark.parametrize(("total", "read"), [(5, 5), ("5", 5), (None, None), ("", None), (0, None)])
def test_a_total_is_believed_unless_it_is_below_the_page(total, read):
    page = answers.parse_instance_page({"instances": [{"id": "a"}], "total": total})
    assert page.total == read


@pytest.mark.parametrize(
    "body", [{"id": "ab"}, {"instanceId": "ab"}, {"data": {"id": "ab"}}, {"id": "ab", "x": 1}]
)
def test_the_id_of_a_created_instance_is_found(body):
    assert answers.parse_created_id(body) == "ab"


@pytest.mark.parametrize(
    "body", [None, {}, [], {"id": ""}, {"id": None}, {"id": "a b"}, {"id": 0}, "ab"]
)
def test_a_create_answer_without_an_id_leaves_the_outcome_unknown(body):
    with pytest.raises(UnreadableAnswer) as caught:
        answers.parse_created_id(body)
    assert caught.value.is_outcome_unknown


def test_another_template_than_the_one_asked_for_is_refused():
    with pytest.raises(UnreadableAnswer, match="another template"):
        answers.parse_template({"template": {"Id": "6"}}, "5")


@pytest.mark.parametrize("amount", ["12.5", "", None, "1e5", [], "$5", 12.5, True, "5,000"])
def test_a_balance_in_another_form_is_unreadable(amount):
    with pytest.raises(UnreadableAnswer):
        answers.parse_balance({"availableBalance": amount})


def test_a_balance_is_tenfold_in_our_unit_and_may_be_negative():
    balance = answers.parse_balance({"availableBalance": "-123", "cashBalance": 5})
    assert (balance.available_e5_usd, balance.cash_e5_usd) == (-1230, 50)
    json.dumps(balance.available_e5_usd)
