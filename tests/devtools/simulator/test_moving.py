"""Moves by request and by the service itself: other addresses, the same id, or no end at all."""

import pytest


def jobs(cloud, **query):
    return cloud.get("/jobs", **query).json["jobs"]


def addresses(cloud, instance_id):
    body = cloud.instance(instance_id)
    ssh = body["connectComponentSSH"]
    endpoints = [mapping["endpoint"] for mapping in body["portMappings"]]
    return body["clusterId"], ssh["sshCommand"], ssh["password"], endpoints


def held_in(cloud, cluster_id):
    """GPUs of the test's product that are gone from the stock of a cluster."""
    product = cloud.world.products["A100-40GB.12c120g"]
    free = cloud.world.stock.free(product, cluster_id, "onDemand")
    return product.capacity[cluster_id] - free


def test_the_service_moves_a_running_instance_to_other_addresses(cloud):
    instance_id = cloud.running()
    before = addresses(cloud, instance_id)
    cloud.order(instance_id, "move", cluster="eu-gb-1")
    assert cloud.status(instance_id) == "migrating"
    assert addresses(cloud, instance_id)[1:3] == ("", "")
    cloud.advance(10)
    assert cloud.status(instance_id) == "running"
    after = addresses(cloud, instance_id)
    assert after[0] == "eu-gb-1"
    assert all(new != old and new for new, old in zip(after, before, strict=True))
    assert (held_in(cloud, "us-ca-6"), held_in(cloud, "eu-gb-1")) == (0, 2)
    (job,) = jobs(cloud, type="autoInstanceMigrate", instanceId=instance_id)
    assert (job["instanceId"], job["state"]["state"]) == (instance_id, "success")
    cloud.act("delete", instance_id)
    cloud.advance(60)
    assert held_in(cloud, "eu-gb-1") == 0


def test_a_move_without_a_cluster_named_goes_to_another_one_and_survives_a_restart(cloud):
    instance_id = cloud.running()
    cloud.order(instance_id, "move")
    cloud.advance(10)
    there = addresses(cloud, instance_id)
    assert there[0] != "us-ca-6"
    again = type(cloud)(cloud.store)
    assert addresses(again, instance_id) == there
    assert (held_in(again, "us-ca-6"), held_in(again, there[0])) == (0, 2)


def test_migrate_is_told_by_a_job(cloud):
    instance_id = cloud.running()
    cloud.act("stop", instance_id)
    cloud.advance(3)
    cloud.act("migrate", instance_id)
    (job,) = jobs(cloud, type="instanceMigrate")
    assert job["state"] == {"state": "running", "error": "", "message": ""}
    assert cloud.post("/job/break", {"jobId": job["Id"]}).reason == "MIGRATION_JOB_NOT_BREAKABLE"
    cloud.advance(10)
    assert jobs(cloud, state="success")[0]["Id"] == job["Id"]
    assert cloud.instance(instance_id)["jobs"] == []


@pytest.mark.parametrize("field", ["error", "message", "errorMessage"])
def test_a_migration_that_fails_stays_migrating_and_only_the_jobs_tell(cloud, field):
    cloud.settings(migration_failure="no node with a free GPU", job_error_field=field)
    instance_id = cloud.running()
    cloud.act("stop", instance_id)
    cloud.advance(3)
    cloud.act("migrate", instance_id)
    cloud.advance(100_000)
    assert cloud.status(instance_id) == "migrating"
    assert cloud.instance(instance_id)["statusError"] == {"state": "", "message": ""}
    (job,) = jobs(cloud, type="instanceMigrate", state="fail")
    assert job["state"][field] == "no node with a free GPU"
    assert cloud.act("start", instance_id).status == 400
    assert cloud.act("delete", instance_id).status == 200


def test_a_move_may_be_told_to_fail_at_its_start_or_on_its_way(cloud):
    one, two = cloud.running(), cloud.running()
    cloud.order(one, "move", message="disk lost")
    cloud.order(two, "move")
    cloud.order(two, "fail_move", message="node lost")
    cloud.advance(1000)
    assert {cloud.status(one), cloud.status(two)} == {"migrating"}
    failed = {job["instanceId"]: job["state"]["error"] for job in jobs(cloud, state="fail")}
    assert failed == {one: "disk lost", two: "node lost"}


def test_automatic_migration_is_opened_and_closed(cloud):
    instance_id = cloud.running()
    body = {"autoMigrateOpen": True, "autoMigrateSystemDisk": False}
    assert cloud.act("setAutoMigrate", instance_id, **body).json == {}
    assert cloud.truth(instance_id)["autoMigrate"] is True
    missing = cloud.act("setAutoMigrate", instance_id, autoMigrateOpen=True)
    assert missing.reason == "VALIDATOR_PARAM"
    cloud.act("setAutoMigrate", instance_id, **{**body, "autoMigrateOpen": False})
    assert cloud.truth(instance_id)["autoMigrate"] is False
