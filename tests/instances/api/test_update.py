"""PATCH /api/instances/{id}."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Project
from core.clock import database_now
from instances.domain.types import Cause, InstanceRequest
from instances.models import Instance, InstanceEvent
from instances.services import create_instance, set_project_limits
from tests.instances.api.refusals import error_of
from tests.instances.api.test_read import make
from tests.instances.api.test_verbs import STATUSES, in_status
from webhooks.models import Delivery

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
    # What is not named is not checked, though the project's limit came later.
    assert patch(api, instance.public_id, {"name": "b"}).status_code == 200


def waiting_for(project: Project, url: str) -> Instance:
    spec = InstanceRequest("a", "RTX 4090", "1", "CN-HK-01", webhook_url=url)
    return create_instance(project=project, spec=spec, cause=Cause("tests")).instance


def test_a_receivers_address_is_in_no_event(api: Client, project: Project) -> None:
    instance = waiting_for(project, "https://a.example/hook?token=one")
    response = patch(api, instance.public_id, {"webhookUrl": "https://b.example/hook?token=two"})
    assert response.status_code == 200
    event = last_event(instance)
    assert event.data == {"changed": ["webhookUrl"], "from": {}, "to": {}}
    assert Delivery.objects.get(type="instance.creating").status == "pending"
    assert "token" not in response.content.decode()


def test_without_a_receiver_the_messages_end(api: Client, project: Project) -> None:
    instance = waiting_for(project, "https://a.example/hook")
    patch(api, instance.public_id, {"webhookUrl": None})
    delivery = Delivery.objects.get(type="instance.creating")
    assert (delivery.status, delivery.ended_at is None) == ("cancelled", False)
