"""Templates, registry auths, storage, networks, jobs."""

import pytest

SEED_TEMPLATE = "tf-training-template-1"


def test_the_template_of_the_readme_resolves_with_its_registry_auth(cloud):
    template = cloud.get("/template", templateId=SEED_TEMPLATE).json["template"]
    assert template["ports"] == [{"type": "http", "ports": [8888]}, {"type": "tcp", "ports": [22]}]
    auths = cloud.get("/repository/auths").json["data"]
    (auth,) = [auth for auth in auths if auth["id"] == template["imageAuth"]]
    assert auth["password"].startswith("ghp_")
    cloud.settings(mask_passwords=True)
    assert cloud.get("/repository/auths").json["data"][0]["password"] == "******"


def test_an_unknown_template_is_a_400(cloud):
    reply = cloud.get("/template", templateId="999")
    assert (reply.status, reply.json["message"]) == (400, "template not found")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 5),
        ({"channel": "official", "isMyCommunity": "False"}, 2),
        ({"channel": "private", "isMyCommunity": "True"}, 2),
        ({"channel": "official,community"}, 3),
        ({"name": "UBU"}, 1),
        ({"type": "serverless"}, 0),
    ],
)
def test_templates_are_filtered_by_channel_name_and_type(cloud, query, count):
    body = cloud.get("/templates", **query).json
    assert (len(body["template"]), body["total"]) == (count, str(count))
    assert {"pageSize", "pageNum"} <= set(body)


def test_a_template_is_created_updated_and_deleted(cloud):
    inner = {"name": "t", "type": "instance", "channel": "private", "image": "i", "rootfsSize": 10}
    template_id = cloud.post("/template/create", {"template": inner}).json["templateId"]
    assert template_id.isdigit()
    changed = {"template": {**inner, "Id": template_id, "image": "j"}}
    assert cloud.post("/template/update", changed).status == 200
    read = cloud.get("/template", templateId=template_id).json["template"]
    assert (read["image"], read["createdAt"]) == ("j", "1800000000")
    deleted = cloud.post("/template/delete", {"templateId": template_id}).json
    assert deleted == {"templateId": template_id}
    assert cloud.get("/template", templateId=template_id).status == 400
    assert cloud.post("/template/delete", {"templateId": "212"}).status == 403
    assert cloud.post("/template/create", {}).reason == "VALIDATOR_PARAM"


def test_a_registry_auth_in_use_cannot_be_deleted(cloud):
    saved = {"name": "docker.io", "username": "u", "password": "p"}
    assert cloud.post("/repository/auth/save", saved).json == {}
    used, free = cloud.get("/repository/auths").json["data"]
    assert cloud.post("/repository/auth/delete", {"id": used["id"]}).reason == "IMAGE_AUTH_IN_USE"
    assert cloud.post("/repository/auth/delete", {"id": free["id"]}).json == {}
    cloud.create(imageAuthId=used["id"])


def storage(cloud, **fields):
    body = {"clusterId": "us-ca-6", "storageName": "data", "storageSize": 100, **fields}
    return cloud.post("/networkstorage/create", body)


def test_a_storage_id_is_a_bare_string_and_its_page_parameter_is_page_no(cloud):
    ids = [storage(cloud, storageName=name).json for name in ("a", "b")]
    assert all(isinstance(storage_id, str) for storage_id in ids)
    body = cloud.get("/networkstorages/list", pageSize=1, pageNo=2).json
    assert ([row["storageId"] for row in body["data"]], body["total"]) == (ids[1:], "2")


def test_a_storage_grows_is_mounted_and_cannot_be_deleted_in_use(cloud):
    storage_id = storage(cloud).json
    update = {"storageId": storage_id, "storageName": "", "storageSize": 50}
    assert cloud.post("/networkstorage/update", update).status == 400
    assert cloud.post("/networkstorage/update", {**update, "storageSize": 200}).json == {}
    instance_id = cloud.create(networkStorages=[{"Id": storage_id}])
    (mount,) = cloud.instance(instance_id)["volumeMounts"]
    assert mount == {"type": "network", "size": 200, "id": storage_id, "mountPath": "/network"}
    body = {"storageId": storage_id}
    assert cloud.post("/networkstorage/delete", body).reason == "NETWORK_STORAGE_IN_USE"
    cloud.act("delete", instance_id)
    cloud.advance(7)
    assert cloud.post("/networkstorage/delete", body).json == {}
    assert cloud.post("/networkstorage/delete", body).reason == "NETWORK_STORAGE_NOT_FOUND"


def test_storage_stays_in_its_cluster(cloud):
    assert storage(cloud, clusterId="as-in-1").status == 400
    elsewhere = storage(cloud, clusterId="eu-gb-1").json
    reply = cloud.try_create(networkStorages=[{"Id": elsewhere}])
    assert reply.reason == "CUR_CLUSTER_NETWORK_STORAGE_NOT_SUPPORT"


def test_an_instance_joins_a_network_with_an_address(cloud):
    made = cloud.post("/network/create", {"clusterId": "us-ca-6", "name": "n"}).json["network"][0]
    body = cloud.instance(cloud.create(networkId=made["Id"]))
    assert body["network"] == {"id": made["Id"], "ip": "10.64.0.2"}
    read = cloud.get("/network", networkId=made["Id"]).json["network"][0]
    assert read["Addresses"] == [{"Id": body["id"], "Ip": "10.64.0.2"}]
    deleted = cloud.post("/network/delete", {"networkId": made["Id"]})
    assert deleted.reason == "NETWORK_IN_USE"


def test_a_saved_image_is_a_job_that_ends_or_is_broken(cloud):
    instance_id = cloud.running()
    first = cloud.post("/job/save/image", {"instanceId": instance_id, "image": "i:1"}).json["jobId"]
    cloud.advance(10)
    second = cloud.act("../../job/save/image", instance_id, image="i:2")
    assert second.status == 404
    second = cloud.post("/job/save/image", {"instanceId": instance_id, "image": "i:2"}).json
    cloud.post("/job/break", second)
    jobs = cloud.get("/jobs").json["jobs"]
    assert [job["state"]["state"] for job in jobs] == ["break", "success"]
    assert [job["Id"] for job in cloud.get("/jobs", state="success").json["jobs"]] == [first]
    assert cloud.instance(instance_id)["jobs"][0] == {"id": first, "type": "saveImage"}
    assert cloud.post("/job/break", {"jobId": "no"}).reason == "JOB_NOT_FOUND"
