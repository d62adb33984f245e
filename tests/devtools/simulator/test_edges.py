"""What stands between a client and the service answers in its own forms, on order by name."""

import json

import pytest

from devtools.simulator.presets import PRESETS

CREATE = {"method": "POST", "path": "/gpu/instance/create$"}
IN_THE_SERVICES_SHAPE = {"client_closed_499", "deadline_504"}


def order(cloud, **fault):
    return cloud.sim("POST", "/faults", fault)


def is_kratos(raw):
    try:
        body = json.loads(raw)
    except ValueError:
        return False
    return isinstance(body, dict) and {"code", "reason", "message"} <= set(body)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_sent_as_it_stands(cloud, preset):
    order(cloud, preset=preset)
    reply, expected = cloud.get("/gpu/instances"), PRESETS[preset]
    assert reply.status == expected["status"]
    assert reply.raw.decode() == expected.get("answer", "")
    assert reply.headers.get("Content-Type", "") == expected.get("content_type", "")
    assert expected.get("headers", {}).items() <= reply.headers.items()
    assert is_kratos(reply.raw) is (preset in IN_THE_SERVICES_SHAPE)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_every_preset_may_hide_a_create_that_acted_or_did_not(cloud, preset, when, made):
    order(cloud, **CREATE, preset=preset, when=when)
    cloud.try_create()
    assert len(cloud.sim("GET", "/ledger")["instances"]) == made


def test_a_client_that_stopped_waiting_has_bought_all_the_same(cloud):
    order(cloud, **CREATE, preset="client_closed_499", count=1)
    reply = cloud.try_create()
    assert (reply.status, reply.reason) == (499, "UNKNOWN")
    assert len(cloud.sim("GET", "/ledger")["instances"]) == 1


def test_fields_beside_a_preset_win_over_it(cloud):
    order(cloud, preset="kong_404", status=410, count=1)
    assert cloud.get("/clusters").status == 410
    assert cloud.get("/clusters").status == 200


def test_a_reason_comes_under_any_status_with_any_message(cloud):
    order(cloud, **CREATE, effect="status", status=409, reason="INSUFFICIENT_RESOURCE",
          message="resource insufficient")  # fmt: skip
    reply = cloud.try_create()
    assert (reply.status, reply.reason) == (409, "INSUFFICIENT_RESOURCE")
    assert reply.json["message"] == "resource insufficient"


def test_an_unknown_preset_is_refused_with_the_known_ones(cloud):
    reply = cloud.send("POST", "/_sim/faults", {"preset": "squid"}, key="")
    assert reply.status == 400
    assert "kong_404" in reply.json["error"]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 401, "reason": "UNAUTHORIZED", "message": "invalid api key"},
        {"status": 403, "reason": "INVALID_API_KEY", "message": "api key disabled"},
        {"status": 400, "reason": "BANNED_USER", "message": "user is banned"},
    ],
)
def test_the_right_key_is_refused_until_it_is_accepted_again(cloud, answer):
    cloud.settings(refused_key=answer)
    for reply in (cloud.get("/clusters"), cloud.try_create(), cloud.account("/billing/bill/list")):
        assert (reply.status, reply.reason) == (answer["status"], answer["reason"])
        assert reply.json["message"] == answer["message"]
    assert cloud.sim("GET", "/ledger")["instances"] == []
    cloud.settings(refused_key=None)
    assert cloud.try_create().status == 200


@pytest.mark.parametrize("nonsense", [{"code": 401}, {"status": "401"}])
def test_a_refusal_of_the_key_with_unknown_fields_is_refused_itself(cloud, nonsense):
    reply = cloud.send("POST", "/_sim/settings", {"refused_key": nonsense}, key="")
    assert reply.status == 400
    assert cloud.get("/clusters").status == 200
