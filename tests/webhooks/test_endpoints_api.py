"""Endpoints over the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from standardwebhooks import Webhook

from accounts.models import AuditEntry, Project
from accounts.scopes import Scope
from accounts.services import create_api_key
from core.sealing import is_sealed
from tests.conftest import Configure, client_of
from tests.instances.api.refusals import error_of
from tests.instances.handlers.conftest import Service
from tests.instances.handlers.webhook_receiver import Receiver, answer
from tests.webhooks.conftest import URL, Publish, make_endpoint, patch, post, run, statuses
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db
PATH = "/api/webhooks"


def made(api: Client, **fields: Any) -> dict[str, Any]:
    response = post(api, PATH, {"url": URL, **fields})
    assert response.status_code == 201, response.content
    assert response["Location"] == f"{PATH}/{response.json()['id']}"
    return dict(response.json())


def test_an_endpoint_shows_its_secret_once_and_its_url_never(api: Client) -> None:
    shown = made(api, headers={"X-Key": "k3y"}, basicAuth={"username": "u", "password": "p4ss"})
    assert shown["secret"].startswith("whsec_")
    later = api.get(f"{PATH}/{shown['id']}")
    assert "secret" not in later.json()
    assert later.json()["receiver"] == "https://hooks.example.com"
    assert (later.json()["headerNames"], later.json()["hasBasicAuth"]) == (["X-Key"], True)
    listed = api.get(PATH).content.decode()
    for secret in ("s3cr3t", "k3y", "p4ss", shown["secret"]):
        assert secret not in later.content.decode() + listed


def test_a_stolen_database_opens_no_endpoint(api: Client) -> None:
    made(api, headers={"X-Key": "k3y"}, basicAuth={"username": "u", "password": "p4ss"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT url, secret, headers #>> '{}', basic_auth FROM webhooks_endpoint")
        row = cursor.fetchone()
    assert all(map(is_sealed, row))


def test_an_endpoint_gets_the_messages_of_its_project_only(
    service: Service, receiver: Receiver, publish: Publish, other_project: Project, api: Client
) -> None:
    secret = made(api)["secret"]
    publish("inst_1")
    publish("inst_2", of=other_project)
    run(service)
    ((_, body, headers),) = receiver.got
    assert Webhook(secret).verify(body, headers)["data"]["id"] == "inst_1"


def test_types_and_instances_choose_what_is_sent(
    service: Service, receiver: Receiver, publish: Publish, api: Client
) -> None:
    instance = service.create()
    Delivery.objects.all().delete()
    made(api, eventTypes=["instance.failed"])
    made(api, instanceId=instance.public_id)
    publish("inst_2", "instance.failed")
    publish(instance.public_id, "instance.running")
    publish("inst_3", "instance.running")
    run(service)
    assert sorted(receiver.types) == ["instance.failed", "instance.running"]


def test_headers_and_basic_auth_are_sent(
    service: Service, receiver: Receiver, publish: Publish, api: Client
) -> None:
    made(api, headers={"X-Key": "k3y"}, basicAuth={"username": "u", "password": "p:w"})
    publish()
    run(service)
    ((url, _, headers),) = receiver.got
    assert url == URL
    assert headers["X-Key"] == "k3y"
    assert headers["Authorization"] == "Basic dTpwOnc="


def test_an_endpoint_with_a_public_key_signs_with_it(
    service: Service, receiver: Receiver, publish: Publish, api: Client
) -> None:
    shown = made(api, signature="v1a")
    assert shown["publicKey"].startswith("whpk_")
    assert "secret" not in shown
    assert api.get(f"{PATH}/{shown['id']}").json()["publicKey"] == shown["publicKey"]
    publish()
    run(service)
    assert receiver.got[0][2]["webhook-signature"].startswith("v1a,")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"url": "ftp://a.example"}, "url"),
        ({"url": "https://u:p4ss@a.example"}, "url"),
        ({"url": "https://10.0.0.1/x"}, "url"),
        ({"url": None}, "url"),
        ({"eventTypes": ["instance.nothing"]}, "eventTypes"),
        ({"eventTypes": "instance.running"}, "eventTypes"),
        ({"headers": {"Host": "a"}}, "headers"),
        ({"headers": {"webhook-id": "a"}}, "headers"),
        ({"headers": {"X": "a\r\nY: b"}}, "headers"),
        ({"headers": {"X": 5}}, "headers"),
        ({"headers": {f"X-{n}": "a" for n in range(30)}}, "headers"),
        ({"headers": {"X": "a" * 5000}}, "headers"),
        ({"basicAuth": {"username": "a:b", "password": "c"}}, "basicAuth"),
        ({"basicAuth": "a:b"}, "basicAuth"),
        ({"basicAuth": {"username": "a", "password": "\n"}}, "basicAuth"),
        ({"signature": "v2"}, "signature"),
        ({"onBacklog": "none"}, "onBacklog"),
        ({"enabled": "yes"}, "enabled"),
        ({"description": "a\x00b"}, "description"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
def test_what_is_wrong_is_told_by_field_and_nothing_is_written(
    api: Client, fields: dict[str, Any], name: str
) -> None:
    response = post(api, PATH, {"url": URL, **fields})
    error = error_of(response, 400)
    assert [each["field"] for each in error["validationErrors"]] == [name]
    assert not Endpoint.objects.exists()
    for secret in ("p4ss", "s3cr3t"):
        assert secret not in response.content.decode()


def test_an_endpoint_of_an_instance_that_is_not_there_is_refused(api: Client) -> None:
    response = post(api, PATH, {"url": URL, "instanceId": "inst_nobody"})
    assert error_of(response, 404)["code"] == "INSTANCE_NOT_FOUND"


def test_the_number_of_endpoints_is_limited(api: Client, configure: Configure) -> None:
    configure(webhook_max_endpoints=1)
    first = made(api)
    error = error_of(post(api, PATH, {"url": URL}), 409)
    assert error["code"] == "WEBHOOK_LIMIT_REACHED"
    assert api.delete(f"{PATH}/{first['id']}").status_code == 204
    made(api)


def test_a_patch_changes_what_it_names(api: Client) -> None:
    shown = made(api, description="old", headers={"X": "1"})
    path = f"{PATH}/{shown['id']}"
    changed = patch(api, path, {"url": "https://b.example/", "onBacklog": "latest"}).json()
    assert (changed["receiver"], changed["onBacklog"]) == ("https://b.example", "latest")
    assert (changed["description"], changed["headerNames"]) == ("old", [])
    cleared = patch(api, path, {"description": None, "headers": None}).json()
    assert ("description" in cleared, cleared["headerNames"]) == (False, [])
    assert error_of(patch(api, path, {"signature": "v1a"}), 400)
    told = str(list(AuditEntry.objects.values_list("before", "after")))
    assert "s3cr3t" not in told


def test_what_a_disabled_endpoint_has_waiting_is_sent_when_it_is_enabled(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    path = f"{PATH}/{endpoint.public_id}"
    publish()
    assert patch(api, path, {"enabled": False}).json()["disabledReason"] == "Disabled by request."
    run(service)
    assert receiver.got == []
    publish()
    patch(api, path, {"enabled": True})
    run(service)
    assert statuses(endpoint) == ["delivered"]


def test_a_deleted_endpoint_gets_nothing_more(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    publish()
    path = f"{PATH}/{endpoint.public_id}"
    assert api.delete(path).status_code == 204
    publish()
    run(service)
    assert (receiver.got, statuses(endpoint)) == ([], ["cancelled"])
    assert error_of(api.get(path), 404)["code"] == "WEBHOOK_NOT_FOUND"
    assert error_of(api.delete(path), 404)


def test_others_have_no_endpoint_of_that_id(api: Client, other_project: Project) -> None:
    foreign = make_endpoint(other_project)
    path = f"{PATH}/{foreign.public_id}"
    for response in (
        api.get(path),
        patch(api, path, {}),
        api.delete(path),
        post(api, f"{path}/test"),
        post(api, f"{path}/rotate-secret"),
        post(api, f"{path}/replay", {"since": "2030-01-01T00:00:00Z"}),
        api.get(f"{path}/stats"),
        api.get(f"{path}/deliveries"),
    ):
        assert error_of(response, 404)["code"] == "WEBHOOK_NOT_FOUND"


# Secrets


def test_after_a_rotation_both_secrets_sign_and_then_only_the_new_one(
    service: Service, receiver: Receiver, publish: Publish, api: Client
) -> None:
    shown = made(api)
    path = f"{PATH}/{shown['id']}/rotate-secret"
    new = post(api, path, {"overlapHours": 1}).json()
    publish()
    run(service)
    _, body, headers = receiver.got[0]
    for secret in (shown["secret"], new["secret"]):
        assert Webhook(secret).verify(body, headers)
    assert error_of(post(api, path), 409)["code"] == "ROTATION_IN_PROGRESS"
    newest = post(api, path, {"overlapHours": 0}).json()
    assert "previousSecretUntil" not in newest
    publish()
    run(service)
    assert len(receiver.got[1][2]["webhook-signature"].split()) == 1


def test_a_repeated_rotation_under_one_key_is_one_rotation(api: Client) -> None:
    path = f"{PATH}/{made(api)['id']}/rotate-secret"
    first = post(api, path, {}, **{"Idempotency-Key": "r-1"})
    second = post(api, path, {}, **{"Idempotency-Key": "r-1"})
    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"


def test_the_secret_of_webhook_urls_is_for_admins(api: Client, project: Project) -> None:
    path = f"{PATH}/signing-secret"
    scopes = [Scope.READ, Scope.WRITE]
    writer = client_of(create_api_key(project=project, name="writer", scopes=scopes))
    error_of(writer.get(path), 403)
    error_of(post(writer, f"{path}/rotate"), 403)
    secret = api.get(path).json()["secret"]
    rotated = post(api, f"{path}/rotate", {"overlapHours": 2}).json()
    assert rotated["secret"] != secret
    assert "previousSecretUntil" in rotated
    assert api.get(path).json() == rotated
    assert error_of(post(api, f"{path}/rotate"), 409)["code"] == "ROTATION_REFUSED"


def test_the_endpoint_of_a_webhook_url_has_no_secret_to_rotate(
    api: Client, service: Service
) -> None:
    instance = service.create(webhook_url=URL)
    listed = api.get(f"{PATH}?instanceId={instance.public_id}").json()["endpoints"]
    assert [each["kind"] for each in listed] == ["instance"]
    assert api.get(PATH).json()["endpoints"] == []
    error = error_of(post(api, f"{PATH}/{listed[0]['id']}/rotate-secret"), 409)
    assert error["code"] == "SIGNS_WITH_PROJECT_SECRET"


def test_the_endpoint_of_a_webhook_url_is_not_deleted_apart_from_it(
    api: Client, service: Service
) -> None:
    service.create(webhook_url=URL)
    path = f"{PATH}/{Endpoint.objects.get().public_id}"
    assert error_of(api.delete(path), 409)["code"] == "BELONGS_TO_INSTANCE"
    assert patch(api, path, {"enabled": False}).status_code == 200


def test_another_host_does_not_get_the_access_to_the_former_one(api: Client) -> None:
    shown = made(api, headers={"X-Key": "k3y"}, basicAuth={"username": "u", "password": "p4ss"})
    path = f"{PATH}/{shown['id']}"
    same = patch(api, path, {"url": "https://hooks.example.com/b"}).json()
    assert (same["headerNames"], same["hasBasicAuth"]) == (["X-Key"], True)
    other = patch(api, path, {"url": "https://mine.example/", "headers": {"X-New": "1"}}).json()
    assert (other["headerNames"], other["hasBasicAuth"]) == (["X-New"], False)


# Test messages and figures


def test_a_test_message_is_sent_though_the_endpoint_is_disabled(
    service: Service, receiver: Receiver, api: Client
) -> None:
    shown = made(api, enabled=False)
    response = post(api, f"{PATH}/{shown['id']}/test?timeout=0")
    assert response.status_code == 202
    receiver.answers = [answer(500, response_excerpt="oops")]
    run(service)
    assert receiver.types == ["webhook.test"]
    delivery = api.get(response["Location"]).json()
    assert (delivery["status"], delivery["lastStatusCode"]) == ("failed", 500)
    assert [each["answer"] for each in delivery["history"]] == ["oops"]
    assert Endpoint.objects.get().failing_since is None


def test_a_test_answers_with_what_the_receiver_said(
    receiver: Receiver, api: Client, service: Service, monotonic: Any
) -> None:
    shown = made(api)
    receiver.answers = [answer(204, response_excerpt="thanks")]
    monotonic.meanwhile = lambda: run(service)
    response = post(api, f"{PATH}/{shown['id']}/test")
    assert response.status_code == 200, response.content
    told = response.json()
    assert (told["delivered"], told["statusCode"]) == (True, 204)
    assert (told["answer"], told["durationMs"]) == ("thanks", 100)


def test_figures_count_attempts_and_what_waits(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    publish("inst_1")
    publish("inst_2")
    receiver.answers = [answer(200), answer(503)]
    run(service)
    figures = api.get(f"{PATH}/{endpoint.public_id}/stats").json()
    assert [each["hours"] for each in figures["periods"]] == [24, 168]
    first = figures["periods"][0]
    assert (first["attempts"], first["delivered"], first["successRate"]) == (2, 1, 0.5)
    assert (first["p50Ms"], figures["pending"]) == (100, 1)
    assert figures["lastError"] == "the endpoint answered 503"
