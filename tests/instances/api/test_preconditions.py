"""ETag, If-Match and If-None-Match of an instance."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Project
from instances.models import Instance
from tests.instances.api.refusals import error_of
from tests.instances.api.test_read import make
from tests.instances.api.test_update import patch
from tests.instances.api.test_verbs import call, in_status


def test_an_etag_saves_the_reading(api: Client, project: Project) -> None:
    path = f"/api/instances/{make(project).public_id}"
    etag = api.get(path)["ETag"]
    for header in (etag, f'"other" , {etag}', f"W/{etag}", "*"):
        response = api.get(path, headers={"if-none-match": header})
        assert (response.status_code, response.content, response["ETag"]) == (304, b"", etag)
        assert not response.has_header("Content-Length")
    assert api.get(path, headers={"if-none-match": '"99"'}).status_code == 200


@pytest.mark.parametrize(
    ("tags", "status"), [('"1"', 200), ("*", 200), ('"2", "1"', 200), ('"2"', 412), ('W/"1"', 200)]
)
def test_what_is_not_what_if_match_names_is_not_read(
    api: Client, project: Project, tags: str, status: int
) -> None:
    path = f"/api/instances/{make(project).public_id}"
    answer = api.get(path, headers={"If-Match": tags})
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"]["code"] == "PRECONDITION_FAILED"


def test_a_new_instance_says_its_etag_also_when_the_answer_is_repeated(api: Client) -> None:
    spec = {"name": "a", "productName": "b", "templateId": "1"}
    headers = {"idempotency-key": "one"}
    made, again = (
        api.post("/api/instances", spec, "application/json", headers=headers) for _ in range(2)
    )
    assert made.status_code == 201
    assert made["ETag"] == again["ETag"] == api.get(made["Location"])["ETag"]
    changed = patch(api, made.json()["instanceId"], {"name": "other"}, **{"if-match": made["ETag"]})
    assert changed.status_code == 200


VERBS = ("start", "stop", "restart", "terminate")
# What proxies that compress make of "1": nginx, Apache, Jetty; and clients of several of them.
CHANGED_ON_THE_WAY = [
    *('W/"1"', '"1-gzip"', 'W/"1-gzip"', '"1--gzip"', '"1-br"', '"1-zstd"', '"1;gzip"', '"1:br"'),
    *('"1-gzip-gzip"', '"1-GZIP"', '"77", W/"1"', '"1-deflate","77-gzip"'),
]


@pytest.mark.parametrize("form", CHANGED_ON_THE_WAY)
@pytest.mark.parametrize("verb", ["get", "patch", "stop", "terminate"])
def test_a_tag_that_a_proxy_changed_names_the_same_version(
    api: Client, project: Project, verb: str, form: str
) -> None:
    instance = in_status(project, "running")
    Instance.objects.filter(pk=instance.pk).update(upstream_id="u")
    path = f"/api/instances/{instance.public_id}"
    number = api.get(path)["ETag"].strip('"')
    tag = form.replace("1", number)
    assert api.get(path, headers={"if-none-match": tag}).status_code == 304
    if verb == "get":
        assert api.get(path, headers={"if-match": tag}).status_code == 200
        return
    assert changed(api, verb, instance.public_id, {"if-none-match": tag}).status_code == 412
    assert changed(api, verb, instance.public_id, {"if-match": tag}).status_code in (200, 202)


@pytest.mark.parametrize(
    "header",
    ['"77"', 'W/"77"', '"x"', '""', '"77", "78"', '"77-gzip"', '"-gzip"', '"01"', '"1-x"'],
)
@pytest.mark.parametrize("verb", [*VERBS, "patch"])
def test_nobody_changes_what_they_have_not_seen(
    api: Client, project: Project, verb: str, header: str
) -> None:
    instance = in_status(project, "running")
    response = changed(api, verb, instance.public_id, {"if-match": header})
    assert error_of(response, 412)["code"] == "PRECONDITION_FAILED"
    instance.refresh_from_db()
    assert (instance.name, instance.status) == ("mine", "running")


@pytest.mark.parametrize("header", ["*", "{etag}", "W/{etag}", '"77", {etag}'])
@pytest.mark.parametrize("verb", [*VERBS, "patch"])
def test_nobody_changes_what_they_exclude(
    api: Client, project: Project, verb: str, header: str
) -> None:
    instance = in_status(project, "stopped" if verb == "start" else "running")
    etag = api.get(f"/api/instances/{instance.public_id}")["ETag"]
    headers = {"if-none-match": header.format(etag=etag)}
    for extra in ({}, {"if-match": etag}):
        response = changed(api, verb, instance.public_id, headers | extra)
        assert error_of(response, 412)["code"] == "PRECONDITION_FAILED"
    assert api.get(f"/api/instances/{instance.public_id}")["ETag"] == etag
    assert changed(api, verb, instance.public_id, {"if-none-match": '"77"'}).status_code < 300


def changed(api: Client, verb: str, public_id: str, headers: dict[str, str]) -> Any:
    if verb == "patch":
        return patch(api, public_id, {"name": "other"}, **headers)
    return call(api, verb, public_id, headers=headers)


@pytest.mark.parametrize("verb", [*VERBS, "patch"])
def test_who_has_seen_it_may(api: Client, project: Project, verb: str) -> None:
    for form in ("{etag}", "*", '"77",{etag}'):
        instance = in_status(project, "stopped" if verb == "start" else "running")
        Instance.objects.filter(pk=instance.pk).update(upstream_id=f"u{instance.pk}")
        etag = api.get(f"/api/instances/{instance.public_id}")["ETag"]
        headers = {"if-match": form.format(etag=etag)}
        if verb == "patch":
            response = patch(api, instance.public_id, {"name": "other"}, **headers)
            assert response["ETag"] != etag
        else:
            response = call(api, verb, instance.public_id, headers=headers)
        assert response.status_code in (200, 202)


@pytest.mark.parametrize("header", ["", "1", '"1', "*, *", '"1" "2"', "W/1", '"é', "'1'"])
def test_a_malformed_precondition_is_told(api: Client, project: Project, header: str) -> None:
    path = f"/api/instances/{make(project).public_id}"
    for method, name in (
        *(("PATCH", "If-Match"), ("DELETE", "If-Match"), ("GET", "If-None-Match")),
        ("GET", "If-Match"),
        *(("PATCH", "If-None-Match"), ("DELETE", "If-None-Match")),
    ):
        body = {"data": "{}", "content_type": "application/json"} if method == "PATCH" else {}
        response = api.generic(method, path, headers={name.lower(): header}, **body)
        assert error_of(response, 400)["validationErrors"][0]["field"] == name
