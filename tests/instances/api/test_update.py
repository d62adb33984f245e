"""PATCH /api/instances/{id}; ETag, If-Match and If-None-Match."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Project
from core.clock import database_now
from instances.domain.types import Cause, InstanceRequest
from instances.models import Instance, InstanceEvent, WebhookDelivery
from instances.services import create_instance, set_project_limits
from tests.instances.api.refusals import error_of
from tests.instances.api.test_read import make
from tests.instances.api.test_verbs import STATUSES, call, in_status

MERGE_PATCH = "application/merge-patch+json"


def patch(
    api: Client, public_id: str, body: Any, *, media: str = "application/json", **headers: str
) -> Any:
    data = body if isinstance(body, str) else json.dumps(body)
    return api.patch(f"/api/instances/{public_id}", data, content_type=media, headers=headers)


def last_event(instance: Instance) -> InstanceEvent:
    return InstanceEvent.objects.filter(instance=instance).latest("sequence")


@pytest.mark.parametrize("media", ["application/json", MERGE_PATCH])
def test_what_is_named_changes_and_the_rest_stays(
    api: Client, project: Project, media: str
) -> None:
    instance = make(project, tags={"team": "vision", "run": "1"})
    body = {"name": "new-name", "tags": {"run": None, "cost": "42"}}
    response = patch(api, instance.public_id, body, media=media)
    assert response.status_code == 200
    after = response.json()
    assert (after["name"], after["tags"]) == ("new-name", {"team": "vision", "cost": "42"})
    assert after == api.get(f"/api/instances/{instance.public_id}").json()
    event = last_event(instance)
    assert event.type == "instance.updated"
    assert event.actor.startswith("key:")
    assert event.data == {
        "changed": ["name", "tags"],
        "from": {"name": "a", "tags": {"team": "vision", "run": "1"}},
        "to": {"name": "new-name", "tags": {"team": "vision", "cost": "42"}},
    }


def test_null_takes_all_tags_away(api: Client, project: Project) -> None:
    instance = make(project, tags={"team": "vision"})
    assert patch(api, instance.public_id, {"tags": None}).json()["tags"] == {}


@pytest.mark.parametrize("body", [{}, {"name": "a"}, {"tags": {"nobody": None}}, {"tags": {}}])
def test_what_changes_nothing_writes_nothing(
    api: Client, project: Project, body: dict[str, Any]
) -> None:
    instance = make(project)
    response = patch(api, instance.public_id, body)
    assert (response.status_code, response["ETag"]) == (200, '"1"')
    assert InstanceEvent.objects.filter(instance=instance).count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        (None, "body"),
        ("null", "body"),
        ({"status": "running"}, "status"),
        ({"name": None}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"maxRuntimeMinutes": "5"}, "maxRuntimeMinutes"),
        ({"maxRuntimeMinutes": 0}, "maxRuntimeMinutes"),
        ({"maxRuntimeMinutes": 10**30}, "maxRuntimeMinutes"),
        ({"webhookUrl": "ftp://a"}, "webhookUrl"),
        ({"webhookUrl": ""}, "webhookUrl"),
        ({"tags": []}, "tags"),
        ({"tags": "a"}, "tags"),
        ({"tags": {"A": "1"}}, "tags.A"),
        ({"tags": {"": "1"}}, "tags."),
        ({"tags": {"a" * 64: "1"}}, f"tags.{'a' * 64}"),
        ({"tags": {"a": 1}}, "tags.a"),
        ({"tags": {"a": "x" * 201}}, "tags.a"),
        ({"tags": {"a": "x\ny"}}, "tags.a"),
        ({"tags": {str(i): "x" for i in range(21)}}, "tags"),
        ({"tags": {str(i): None for i in range(41)}}, "tags"),
        ('{"tags": {"a": "\\u0000"}}', "tags"),
        ('{"tags": {"a": "1", "a": "2"}}', "body"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    api: Client, project: Project, body: Any, field: str
) -> None:
    instance = make(project)
    error = error_of(patch(api, instance.public_id, body), 400)
    assert error["code"] == "VALIDATION_ERROR"
    assert [entry["field"] for entry in error["validationErrors"]] == [field]
    instance.refresh_from_db()
    assert (instance.version, instance.sequence) == (1, 1)


def test_other_media_types_are_refused(api: Client, project: Project) -> None:
    instance = make(project)
    error_of(patch(api, instance.public_id, {}, media="application/json-patch+json"), 415)
    body = json.dumps({"name": "a", "productName": "b", "templateId": "1"})
    error_of(api.post("/api/instances", body, content_type=MERGE_PATCH), 415)


@pytest.mark.parametrize("status", STATUSES)
def test_until_it_is_terminated(api: Client, project: Project, status: str) -> None:
    instance = in_status(project, status)
    response = patch(api, instance.public_id, {"name": "other"})
    if status == "terminated":
        assert error_of(response, 409)["code"] == "INVALID_STATE"
    else:
        assert response.json()["name"] == "other"


def test_another_projects_instance_does_not_exist(api: Client, other_project: Project) -> None:
    foreign = make(other_project)
    error = error_of(patch(api, foreign.public_id, {"name": "mine"}), 404)
    assert error["code"] == "INSTANCE_NOT_FOUND"


def test_the_end_moves_with_the_runtime_and_is_warned_of_anew(
    api: Client, project: Project
) -> None:
    began = database_now()
    instance = make(
        project,
        max_runtime_minutes=60,
        started_at=began,
        expires_at=began + timedelta(minutes=60),
        expiry_warned_at=began,
    )
    patch(api, instance.public_id, {"maxRuntimeMinutes": 90})
    instance.refresh_from_db()
    assert instance.expires_at == began + timedelta(minutes=90)
    assert instance.expiry_warned_at is None
    patch(api, instance.public_id, {"maxRuntimeMinutes": None})
    instance.refresh_from_db()
    assert (instance.max_runtime_minutes, instance.expires_at) == (None, None)


@pytest.mark.parametrize("minutes", [61, None])
def test_the_runtime_stays_within_the_projects(
    api: Client, project: Project, minutes: int | None
) -> None:
    instance = make(project, max_runtime_minutes=30)
    set_project_limits(project, longest_runtime_minutes=60)
    error = error_of(patch(api, instance.public_id, {"maxRuntimeMinutes": minutes}), 400)
    assert error["validationErrors"][0]["field"] == "maxRuntimeMinutes"
    # What is not named is not judged, though the project's limit came later.
    assert patch(api, instance.public_id, {"name": "b"}).status_code == 200


def waiting_for(project: Project, url: str) -> Instance:
    wish = InstanceRequest("a", "RTX 4090", "1", "CN-HK-01", webhook_url=url)
    return create_instance(project=project, wish=wish, cause=Cause("tests")).instance


def test_a_receivers_address_is_in_no_event(api: Client, project: Project) -> None:
    instance = waiting_for(project, "https://a.example/hook?token=one")
    response = patch(api, instance.public_id, {"webhookUrl": "https://b.example/hook?token=two"})
    assert response.status_code == 200
    event = last_event(instance)
    assert event.data == {"changed": ["webhookUrl"], "from": {}, "to": {}}
    assert WebhookDelivery.objects.get(instance=instance).status == "pending"
    assert "token" not in response.content.decode()


def test_without_a_receiver_the_messages_end(api: Client, project: Project) -> None:
    instance = waiting_for(project, "https://a.example/hook")
    patch(api, instance.public_id, {"webhookUrl": None})
    delivery = WebhookDelivery.objects.get(instance=instance)
    assert (delivery.status, delivery.ended_at is None) == ("failed", False)


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
    wish = {"name": "a", "productName": "b", "templateId": "1"}
    headers = {"idempotency-key": "one"}
    made, again = (
        api.post("/api/instances", wish, "application/json", headers=headers) for _ in range(2)
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
