"""Images laid ready: a task from its creation to its end, its note, the quota."""

import pytest

TASK = {"imageUrl": "ghcr.io/acme/train:1", "clusterId": "us-ca-6", "note": "nightly"}


def made(cloud, **changes):
    reply = cloud.post("/image/prewarm", {**TASK, **changes})
    assert list(reply.json) == ["id"], reply.raw
    return reply.json["id"]


def tasks(cloud, **query):
    return cloud.get("/image/prewarm", **query).json["data"]


def test_a_task_waits_runs_and_succeeds(cloud):
    task_id = made(cloud, productIds=["4090.16c62g"])
    (task,) = tasks(cloud)
    assert (task["id"], task["imageName"], task["clusterName"]) == (
        task_id,
        "train",
        "US-CA-06 (California)",
    )
    products = [{"productId": "4090.16c62g", "productName": "RTX 4090 24GB"}]
    assert (task["products"], task["createTime"], task["completeTime"]) == (
        products,
        "1800000000",
        "0",
    )
    states = [task["state"]]
    for seconds in (20, 40):
        cloud.advance(seconds)
        states.append(tasks(cloud)[0]["state"])
    assert states == ["Pending", "Running", "Succeeded"]
    assert tasks(cloud)[0]["completeTime"] == "1800000060"


def test_an_image_that_cannot_be_pulled_fails_with_a_reason(cloud):
    cloud.settings(images={"broken": {"fail_in": "pulling"}})
    made(cloud, imageUrl="broken:1")
    cloud.advance(60)
    (task,) = tasks(cloud, state="Failed")
    assert task["reason"] == ["failed to pull image broken:1"]


def test_tasks_are_found_by_state_cluster_name_and_note_newest_first_in_pages(cloud):
    first, second = made(cloud), made(cloud, clusterId="eu-gb-1", note="weekly")
    assert [task["id"] for task in tasks(cloud)] == [second, first]
    assert [task["id"] for task in tasks(cloud, clusterId="eu-gb-1")] == [second]
    assert [task["id"] for task in tasks(cloud, name="NIGHT")] == [first]
    assert [task["id"] for task in tasks(cloud, page=2, pageSize=1)] == [first]
    assert cloud.get("/image/prewarm", pageSize=1).json["total"] == "2"
    assert tasks(cloud, state="Failed") == []


def test_the_note_is_edited_and_the_whole_task_answered(cloud):
    task_id = made(cloud)
    reply = cloud.post("/image/prewarm/edit", {"id": task_id, "note": "new"})
    assert (reply.json["id"], reply.json["note"]) == (task_id, "new")
    assert tasks(cloud)[0]["note"] == "new"


@pytest.mark.parametrize("field", ["ids", "task_id"])
def test_tasks_are_deleted_by_the_documented_field_and_by_the_one_in_use(cloud, field):
    gone, kept = made(cloud), made(cloud)
    assert cloud.post("/image/prewarm/delete", {field: [gone]}).json == {}
    assert [task["id"] for task in tasks(cloud)] == [kept]
    assert cloud.post("/image/prewarm/delete", {field: [kept, gone]}).status == 400
    assert [task["id"] for task in tasks(cloud)] == [kept]


def test_the_quota_counts_and_ends_what_may_be_made(cloud):
    cloud.settings(prewarm_limit=1)
    made(cloud)
    quota = cloud.get("/image/prewarm/quota").json
    assert quota == {"total": "1", "limit": 1, "perImageSize": 50}
    assert cloud.post("/image/prewarm", TASK).reason == "IMAGE_PREWARM_NUM_LIMIT"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"imageUrl": ""}, "VALIDATOR_PARAM"),
        ({"clusterId": ""}, "VALIDATOR_PARAM"),
        ({"clusterId": "mars-1"}, "RESOURCE_NOT_FOUND"),
        ({"productIds": ["no-such"]}, "RESOURCE_NOT_FOUND"),
        ({"productIds": "4090.16c62g"}, "VALIDATOR_PARAM"),
        ({"repositoryAuth": "no-such"}, "IMAGE_URL_OR_AUTH_ERROR"),
    ],
)
def test_what_a_task_needs_must_be_there(cloud, changes, reason):
    assert cloud.post("/image/prewarm", {**TASK, **changes}).reason == reason
    assert cloud.post("/image/prewarm/edit", {"id": "no-such"}).reason == "RESOURCE_NOT_FOUND"


def test_tasks_survive_a_restart(cloud):
    task_id = made(cloud)
    assert [task["id"] for task in tasks(type(cloud)(cloud.store))] == [task_id]
