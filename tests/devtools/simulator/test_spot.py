"""Protected time, notice, reclaim, and the ways back."""

import pytest


@pytest.fixture
def spot(cloud):
    return cloud.running(billingMode="spot")


def state(cloud, instance_id):
    body = cloud.instance(instance_id)
    return body["status"], body["spotStatus"], body["spotReclaimTime"]


def test_a_spot_instance_pays_the_spot_price_and_runs_unthreatened(cloud, spot):
    assert cloud.instance(spot)["instancePrice"] == "60000"
    assert state(cloud, spot) == ("running", "running", "0")


def test_no_notice_comes_within_the_protected_hour(cloud, spot):
    cloud.order(spot, "spot_notice")
    cloud.advance(3579)
    assert state(cloud, spot)[1] == "running"
    cloud.advance(1)
    assert state(cloud, spot) == ("running", "notified", "1800007200")


def test_the_reclaim_follows_the_notice_by_an_hour(cloud, spot):
    cloud.order(spot, "spot_notice", force=True)
    assert state(cloud, spot) == ("running", "notified", "1800003620")
    cloud.advance(3600)
    assert state(cloud, spot) == ("stopping", "reclaiming", "1800003620")
    cloud.advance(30)
    assert state(cloud, spot) == ("exited", "terminated", "1800003620")


def test_a_notice_during_the_start_does_not_stop_the_start(cloud):
    instance_id = cloud.create(billingMode="spot")
    cloud.order(instance_id, "spot_notice", force=True)
    assert state(cloud, instance_id)[:2] == ("pending", "notified")
    cloud.advance(20)
    assert state(cloud, instance_id)[:2] == ("running", "notified")


def test_a_users_stop_leaves_no_reclaim_under_way(cloud, spot):
    cloud.order(spot, "spot_notice", force=True)
    cloud.act("stop", spot)
    cloud.advance(5000)
    assert state(cloud, spot) == ("exited", "running", "0")


@pytest.mark.parametrize("notice_seconds", [0, 1, 60])
@pytest.mark.parametrize("begins", [0, 1])
def test_a_reclaim_does_not_undo_a_delete(cloud, spot, begins, notice_seconds):
    cloud.act("delete", spot)
    cloud.advance(begins)
    cloud.order(spot, "spot_notice", force=True, notice_seconds=notice_seconds)
    cloud.advance(200)
    assert cloud.get("/gpu/instance", instanceId=spot).reason == "RESOURCE_NOT_FOUND"
    assert cloud.truth(spot)["status"] == "gone"
    assert cloud.truth(spot)["billedSeconds"] == 12


@pytest.mark.parametrize("after_seconds", [0, 59, 60, 70])
def test_a_delete_prevails_over_a_planned_reclaim(cloud, spot, after_seconds):
    cloud.order(spot, "spot_notice", force=True, notice_seconds=60)
    cloud.advance(after_seconds)
    cloud.act("delete", spot)
    cloud.advance(200)
    assert cloud.truth(spot)["status"] == "gone"


def test_a_reclaim_finds_nothing_to_stop_after_a_users_stop(cloud, spot):
    cloud.act("stop", spot)
    cloud.order(spot, "spot_notice", force=True, notice_seconds=60)
    cloud.advance(70)
    assert cloud.status(spot) == "exited"
    assert cloud.truth(spot)["billedSeconds"] == 15


def test_migrate_stays_when_there_is_room(cloud, spot):
    cloud.order(spot, "spot_reclaim")
    cloud.advance(30)
    assert cloud.act("migrate", spot).json["state"] == "migrating"
    cloud.advance(10)
    assert state(cloud, spot) == ("running", "running", "0")
    assert cloud.instance(spot)["clusterId"] == "us-ca-6"


def test_migrate_goes_where_there_is_room_and_takes_its_stock_along(cloud, spot):
    cloud.order(spot, "spot_reclaim")
    cloud.advance(30)
    cloud.sim("POST", "/stock", {"cluster_id": "us-ca-6", "free": 0})
    cloud.act("migrate", spot)
    cloud.advance(10)
    assert cloud.instance(spot)["clusterId"] in ("cn-hongkong-1", "eu-gb-1")


def test_migrate_without_any_room_is_refused(cloud, spot):
    cloud.order(spot, "spot_reclaim")
    cloud.advance(30)
    cloud.sim("POST", "/stock", {"free": 0})
    assert cloud.act("migrate", spot).reason == "MIGRATE_INSUFFICIENT_RESOURCE"
    assert cloud.act("start", spot).reason == "INSUFFICIENT_RESOURCE"


def test_reclaims_can_come_by_themselves(cloud):
    cloud.settings(spot_reclaim_after_seconds=1, spot_protection_seconds=60)
    instance_id = cloud.create(billingMode="spot")
    cloud.advance(60)
    assert state(cloud, instance_id)[1] == "notified"


def test_a_notice_may_come_without_its_time(cloud, spot):
    cloud.settings(spot_notice_without_time=True)
    cloud.order(spot, "spot_notice", force=True)
    assert state(cloud, spot) == ("running", "notified", "0")
    cloud.advance(3600)
    assert state(cloud, spot) == ("stopping", "reclaiming", "1800003620")


def test_the_time_may_come_without_the_word(cloud, spot):
    cloud.settings(spot_notice_without_status=True)
    cloud.order(spot, "spot_notice", force=True)
    assert state(cloud, spot) == ("running", "running", "1800003620")


def test_a_notice_that_is_withdrawn_ends_nothing(cloud, spot):
    cloud.order(spot, "spot_notice", force=True)
    cloud.advance(100)
    cloud.order(spot, "spot_withdraw")
    cloud.advance(10_000)
    assert state(cloud, spot) == ("running", "running", "0")


@pytest.mark.parametrize("action", ["start", "migrate"])
def test_word_and_time_of_a_reclaim_may_be_left_over_after_the_way_back(cloud, spot, action):
    cloud.settings(spot_status_left_over=True)
    cloud.order(spot, "spot_reclaim")
    cloud.advance(30)
    before = state(cloud, spot)
    cloud.act(action, spot)
    cloud.advance(20)
    assert state(cloud, spot) == ("running", *before[1:]) == ("running", "terminated", before[2])


def test_a_users_stop_may_leave_the_notice_standing(cloud, spot):
    cloud.settings(spot_status_left_over=True)
    cloud.order(spot, "spot_notice", force=True)
    cloud.act("stop", spot)
    cloud.advance(5000)
    assert state(cloud, spot) == ("exited", "notified", "1800003620")
