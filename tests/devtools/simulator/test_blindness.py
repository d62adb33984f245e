"""For a time the service does not see what lives on: lists and looks lie, the bill does not."""

import pytest


def blind(cloud, **blindness):
    return cloud.sim("POST", "/blindness", blindness)


def seen_in_list(cloud):
    answer = cloud.listed(pageSize=100)
    return [item["id"] for item in answer["instances"]], answer["total"]


@pytest.fixture
def fleet(cloud):
    ids = [cloud.create(name=f"gpu-{number}") for number in range(3)]
    cloud.advance(20)
    return ids


def test_an_empty_list_beside_gets_that_find_everything(cloud, fleet):
    blind(cloud, list="empty")
    assert seen_in_list(cloud) == ([], "0")
    assert {cloud.status(each) for each in fleet} == {"running"}


def test_a_list_lacks_some_and_gets_of_these_answer_not_found(cloud, fleet):
    hidden, *others = fleet
    blind(cloud, list="without", ids=[hidden], direct=True)
    assert seen_in_list(cloud) == (others[::-1], "2")
    assert cloud.get("/gpu/instance", instanceId=hidden).reason == "RESOURCE_NOT_FOUND"
    assert {cloud.status(each) for each in others} == {"running"}


def test_an_empty_list_may_come_with_not_found_for_two_only(cloud, fleet):
    blind(cloud, list="empty", ids=fleet[:2], direct=True)
    assert seen_in_list(cloud) == ([], "0")
    statuses = [cloud.get("/gpu/instance", instanceId=each).status for each in fleet]
    assert statuses == [400, 400, 200]


def test_gets_lie_while_the_list_is_whole(cloud, fleet):
    blind(cloud, direct=True)
    assert len(seen_in_list(cloud)[0]) == 3
    assert cloud.get("/gpu/instance", instanceId=fleet[0]).status == 400


def test_the_not_found_comes_in_the_words_that_are_set(cloud, fleet):
    cloud.settings(not_found_status=404, not_found_reason="NOT_FOUNT", not_found_message="gone")
    blind(cloud, direct=True)
    reply = cloud.get("/gpu/instance", instanceId=fleet[0])
    assert (reply.status, reply.reason, reply.json["message"]) == (404, "NOT_FOUNT", "gone")


def test_actions_work_on_what_is_not_seen_unless_they_are_blind_too(cloud, fleet):
    blind(cloud, list="empty", direct=True)
    assert cloud.act("stop", fleet[0]).status == 200
    blind(cloud, list="empty", direct=True, actions=True)
    assert cloud.act("delete", fleet[1]).reason == "RESOURCE_NOT_FOUND"
    assert cloud.truth(fleet[1])["status"] == "running"


def test_the_total_may_go_on_counting_what_is_left_out(cloud, fleet):
    blind(cloud, list="without", ids=[fleet[0]], keep_total=True)
    ids, total = seen_in_list(cloud)
    assert (len(ids), total) == (2, "3")


def test_the_world_goes_on_and_bills_meanwhile_and_new_ones_are_hidden_too(cloud, fleet):
    before = cloud.truth(fleet[0])["billedSeconds"]
    blind(cloud, list="without", direct=True)
    made = cloud.create()
    cloud.advance(100)
    assert cloud.truth(fleet[0])["billedSeconds"] == before + 100
    assert cloud.get("/gpu/instance", instanceId=made).status == 400
    cloud.sim("DELETE", "/blindness")
    assert cloud.status(made) == "running"


def test_it_ends_by_itself_or_by_an_order_and_is_shown_while_it_lasts(cloud, fleet):
    assert blind(cloud, list="empty", for_seconds=60)["holds"] is True
    cloud.advance(59.9)
    assert seen_in_list(cloud)[0] == []
    cloud.advance(0.1)
    assert len(seen_in_list(cloud)[0]) == 3
    assert cloud.sim("GET", "/blindness")["holds"] is False
    blind(cloud, list="empty")
    cloud.advance(10**6)
    assert seen_in_list(cloud)[0] == []
    cloud.sim("DELETE", "/blindness")
    assert len(seen_in_list(cloud)[0]) == 3


def test_it_survives_a_restart(cloud, fleet):
    blind(cloud, list="empty")
    again = type(cloud)(cloud.store)
    assert again.listed()["instances"] == []


@pytest.mark.parametrize(
    "nonsense",
    [{"list": "some"}, {"ids": "most"}, {"direct": "yes"}, {"blind": True}, {"ids": [1]}],
)
def test_nonsense_is_refused(cloud, nonsense):
    assert cloud.send("POST", "/_sim/blindness", nonsense, key="").status == 400
