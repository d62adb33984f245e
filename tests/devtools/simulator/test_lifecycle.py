"""The walk through the statuses under a clock that moves only when pushed."""

import pytest


def walk(cloud, instance_id, seconds, step=0.25):
    """The distinct statuses met on the way."""
    seen = [cloud.status(instance_id)]
    for _ in range(int(seconds / step)):
        cloud.advance(step)
        status = cloud.status(instance_id)
        if status != seen[-1]:
            seen.append(status)
    return seen


def test_a_new_instance_walks_to_running_in_twenty_seconds(cloud):
    instance_id = cloud.create()
    assert walk(cloud, instance_id, 19.75) == ["pending", "toCreate", "creating", "pulling"]
    cloud.advance(0.25)
    assert cloud.status(instance_id) == "running"


def test_an_image_can_be_slower_than_the_rest(cloud):
    cloud.settings(images={"slow": {"start_seconds": 100}})
    slow, quick = cloud.create(imageUrl="ghcr.io/slow:1"), cloud.create()
    cloud.advance(20)
    assert (cloud.status(slow), cloud.status(quick)) == ("creating", "running")


def test_an_image_can_stay_in_pulling_for_ever(cloud):
    cloud.settings(images={"stuck": {"stuck_in": "pulling"}})
    instance_id = cloud.create(imageUrl="stuck:1")
    cloud.advance(10**6)
    assert cloud.status(instance_id) == "pulling"


def test_a_failed_pull_stays_visible_with_its_error(cloud):
    cloud.settings(images={"broken": {"fail_in": "pulling", "message": "no such image"}})
    instance_id = cloud.create(imageUrl="broken:1")
    cloud.advance(8.5)
    assert cloud.instance(instance_id)["statusError"]["message"] == ""
    cloud.advance(1)
    body = cloud.instance(instance_id)
    assert body["status"] == "exited"
    assert body["statusError"] == {"state": "pulling", "message": "no such image"}


def test_a_status_error_may_show_for_a_while_on_the_way_and_heal(cloud):
    cloud.settings(images={"slow": {"trouble_in": "pulling", "trouble_seconds": 5}})
    instance_id = cloud.create(imageUrl="slow:1")
    cloud.advance(8)
    body = cloud.instance(instance_id)
    assert body["status"] == "pulling"
    assert body["statusError"] == {
        "state": "ImagePullBackOff",
        "message": 'Back-off pulling image "slow:1"',
    }
    cloud.advance(5)
    assert cloud.instance(instance_id)["statusError"] == {"state": "", "message": ""}
    cloud.advance(10)
    assert cloud.status(instance_id) == "running"


def test_trouble_comes_on_order_in_any_status_and_words_and_goes(cloud):
    instance_id = cloud.running()
    cloud.order(
        instance_id, "trouble", state="NodeNotReady", message="m", after_seconds=5, for_seconds=10
    )
    assert cloud.instance(instance_id)["statusError"]["state"] == ""
    cloud.advance(5)
    body = cloud.instance(instance_id)
    assert body["status"] == "running"
    assert body["statusError"] == {"state": "NodeNotReady", "message": "m"}
    cloud.advance(10)
    assert cloud.instance(instance_id)["statusError"]["state"] == ""


def test_an_instance_sticks_in_any_word(cloud):
    instance_id = cloud.running()
    cloud.order(instance_id, "stick", status="hibernating")
    assert cloud.status(instance_id) == "hibernating"


def test_stop_and_start_pass_through_their_words(cloud):
    instance_id = cloud.running()
    assert cloud.act("stop", instance_id).json == {"instanceId": instance_id, "state": "toStop"}
    assert walk(cloud, instance_id, 3) == ["toStop", "stopping", "exited"]
    assert cloud.instance(instance_id)["lastStoppedAt"] == "1800000023"
    assert cloud.act("start", instance_id).status == 200
    assert walk(cloud, instance_id, 20) == ["toStart", "starting", "running"]


def test_restart_ends_in_running(cloud):
    instance_id = cloud.running()
    cloud.act("restart", instance_id)
    assert walk(cloud, instance_id, 4) == ["toRestart", "restarting", "running"]


@pytest.mark.parametrize("action", ["start", "migrate"])
def test_a_running_instance_refuses_what_needs_a_stopped_one(cloud, action):
    reply = cloud.act(action, cloud.running())
    assert (reply.status, reply.json["message"]) == (400, "invalid state change")


@pytest.mark.parametrize("action", ["stop", "restart"])
def test_a_pending_instance_refuses_what_needs_a_running_one(cloud, action):
    assert cloud.act(action, cloud.create()).json["message"] == "invalid state change"


def test_an_action_can_answer_400_and_yet_happen(cloud):
    instance_id = cloud.running()
    cloud.act("stop", instance_id)
    cloud.advance(3)
    cloud.settings(action_400_yet_done=["start"])
    assert cloud.act("start", instance_id).json["message"] == "invalid state change"
    assert cloud.status(instance_id) == "toStart"
    assert cloud.sim("GET", "/ledger")["calls"][-1]["acted"] is True


def test_a_stop_gives_the_gpus_back_so_that_a_start_may_find_none(cloud):
    first = cloud.running(productId="4090.16c62g.os", gpuNum=6)
    cloud.act("stop", first)
    cloud.advance(2.9)
    assert cloud.try_create(productId="4090.16c62g.os", gpuNum=6).status == 400
    cloud.advance(0.1)
    cloud.create(productId="4090.16c62g.os", gpuNum=6)
    assert cloud.act("start", first).reason == "INSUFFICIENT_RESOURCE"
    assert cloud.status(first) == "exited"


def test_delete_shows_its_words_then_nothing(cloud):
    instance_id = cloud.running()
    assert cloud.act("delete", instance_id).json == {}
    assert walk(cloud, instance_id, 6.75) == ["toRemove", "removing", "removed"]
    cloud.advance(0.25)
    assert cloud.get("/gpu/instance", instanceId=instance_id).reason == "RESOURCE_NOT_FOUND"
    assert cloud.listed()["instances"] == []
    assert cloud.act("delete", instance_id).reason == "RESOURCE_NOT_FOUND"
    assert cloud.truth(instance_id)["isAlive"] is False


def test_deleting_twice_gives_the_same_refusal_once_removed(cloud):
    instance_id = cloud.create()
    cloud.act("delete", instance_id)
    assert cloud.act("delete", instance_id).status == 200
    cloud.advance(2)
    assert cloud.act("delete", instance_id).reason == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize(("reply", "raw"), [("object", b"{}"), ("empty", b"")])
def test_the_answer_to_delete_is_selectable(cloud, reply, raw):
    cloud.settings(delete_reply=reply)
    assert cloud.act("delete", cloud.create()).raw == raw


def test_delete_can_answer_200_and_keep_running(cloud):
    instance_id = cloud.running()
    cloud.settings(delete_ignored=True)
    assert cloud.act("delete", instance_id).status == 200
    cloud.advance(1000)
    assert cloud.status(instance_id) == "running"


def test_deleting_a_stopped_instance_takes_no_stock_back(cloud):
    first = cloud.running(productId="4090.16c62g.os", gpuNum=6)
    cloud.act("stop", first)
    cloud.advance(3)
    cloud.act("delete", first)
    cloud.create(productId="4090.16c62g.os", gpuNum=6)


def test_edit_takes_ports_as_objects_and_only_grows_the_disk(cloud):
    instance_id = cloud.running()
    cloud.act("edit", instance_id, ports=[{"port": 81, "type": "http"}], expandRootDisk=20)
    body = cloud.instance(instance_id)
    assert [mapping["port"] for mapping in body["portMappings"]] == [81]
    assert body["rootfsSize"] == 120
    assert cloud.act("edit", instance_id, expandRootDisk=-1).reason == "VALIDATOR_PARAM"


def test_upgrade_resets_into_the_new_image(cloud):
    instance_id = cloud.running()
    fields = {"imageUrl": "new:2", "envs": [], "command": "", "entrypoint": "", "save": False}
    cloud.act("upgrade", instance_id, **fields)
    assert walk(cloud, instance_id, 20) == ["toReset", "resetting", "running"]
    assert cloud.instance(instance_id)["imageUrl"] == "new:2"


def test_events_force_any_fate(cloud):
    instance_id = cloud.create()
    cloud.order(instance_id, "stick", status="pulling")
    cloud.advance(10**5)
    assert cloud.status(instance_id) == "pulling"
    cloud.order(instance_id, "run")
    assert cloud.status(instance_id) == "running"
    cloud.order(instance_id, "freeze")
    assert cloud.status(instance_id) == "freezing"
    cloud.order(instance_id, "fail", status="exited", message="node lost")
    assert cloud.instance(instance_id)["statusError"]["message"] == "node lost"
    cloud.order(instance_id, "vanish")
    assert cloud.get("/gpu/instance", instanceId=instance_id).status == 400
    assert cloud.truth(instance_id)["status"] == "gone"


def test_an_unknown_order_is_refused_with_the_known_ones(cloud):
    reply = cloud.send("POST", f"/_sim/instances/{cloud.create()}", {"order": "explode"})
    assert reply.status == 400
    assert "spot_reclaim" in reply.json["error"]
