"""Deliveries, replays and the feed over the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Project
from core.clock import database_now, iso
from jobs.models import Job
from tests.instances.api.refusals import error_of
from tests.instances.handlers.conftest import Service
from tests.instances.handlers.webhook_receiver import Receiver, answer
from tests.webhooks.conftest import Publish, make_endpoint, patch, post, run, statuses
from webhooks.models import Delivery, Endpoint, Message

pytestmark = pytest.mark.django_db
LONG_AGO = "2020-01-01T00:00:00Z"


def deliveries(api: Client, endpoint: Endpoint, query: str = "") -> list[dict[str, Any]]:
    response = api.get(f"/api/webhooks/{endpoint.public_id}/deliveries{query}")
    assert response.status_code == 200, response.content
    return list(response.json()["deliveries"])


def test_a_list_shows_what_waits_behind_another_message(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    publish()
    publish(type_="instance.stopped")
    receiver.answers = [answer(503)]
    run(service)
    second, first = deliveries(api, endpoint)
    assert (first["status"], first["attempts"], "isBehind" in first) == ("pending", 1, False)
    assert (second["attempts"], second["isBehind"]) == (0, True)
    assert "nextAttemptAt" in first


def test_lists_are_filtered_and_paged(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    for number in range(3):
        publish(f"inst_{number}")
    publish("inst_0", "instance.failed")
    run(service, times=2)
    assert len(deliveries(api, endpoint, "?status=delivered&type=instance.running")) == 3
    assert len(deliveries(api, endpoint, "?instanceId=inst_0")) == 2
    assert deliveries(api, endpoint, f"?until={LONG_AGO}") == []
    page = api.get(f"/api/webhooks/{endpoint.public_id}/deliveries?limit=3").json()
    rest = deliveries(api, endpoint, f"?limit=3&cursor={page['nextCursor']}")
    assert (page["hasMore"], len(rest)) == (True, 1)
    wrong = api.get(f"/api/webhooks/{endpoint.public_id}/deliveries?status=lost&kind=x")
    assert {each["field"] for each in error_of(wrong, 400)["validationErrors"]} >= {"status"}


def test_the_deliveries_of_an_instance_are_those_of_all_endpoints(
    service: Service, receiver: Receiver, api: Client, endpoint: Endpoint
) -> None:
    instance = service.create(webhook_url="https://own.example/")
    listed = api.get(f"/api/instances/{instance.public_id}/deliveries").json()["deliveries"]
    assert len({each["endpointId"] for each in listed}) == 2
    assert len({each["messageId"] for each in listed}) == 1
    error_of(api.get("/api/instances/inst_nobody/deliveries"), 404)


def test_a_delivery_shows_its_message_and_every_attempt(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    message = publish()
    receiver.answers = [answer(500, response_excerpt="no"), answer(200)]
    run(service, times=2)
    (listed,) = deliveries(api, endpoint)
    shown = api.get(f"/api/deliveries/{listed['id']}").json()
    assert shown["messageId"] == message.public_id
    assert shown["message"]["data"] == {"id": "inst_1"}
    assert [(each["number"], each["statusCode"]) for each in shown["history"]] == [
        (2, 200),
        (1, 500),
    ]
    assert shown["history"][1]["answer"] == "no"


def test_what_was_delivered_can_be_delivered_again_with_the_same_id(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    publish()
    run(service)
    (listed,) = deliveries(api, endpoint)
    response = post(api, f"/api/deliveries/{listed['id']}/redeliver")
    assert response.status_code == 202
    assert (response.json()["status"], response.json()["isReplay"]) == ("pending", True)
    run(service)
    assert len(receiver.got) == 2
    assert len({headers["webhook-id"] for _, _, headers in receiver.got}) == 1


def test_a_message_that_is_sent_again_holds_up_no_new_one(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    publish()
    run(service)
    post(api, f"/api/deliveries/{deliveries(api, endpoint)[0]['id']}/redeliver")
    publish(type_="instance.stopped")
    receiver.answers = [answer(200), answer(503)]
    run(service)
    assert receiver.types == ["instance.running", "instance.stopped", "instance.running"]


def test_a_message_that_waits_is_sent_now(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    publish()
    receiver.answers = [answer(503)]
    run(service)
    waiting = Job.objects.get(type="deliver_webhooks")
    assert waiting.run_at > database_now()
    post(api, f"/api/deliveries/{deliveries(api, endpoint)[0]['id']}/redeliver")
    waiting.refresh_from_db()
    assert waiting.run_at <= database_now()
    assert deliveries(api, endpoint)[0].get("isReplay") is None


def test_a_disabled_endpoint_refuses_to_deliver(
    publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    publish()
    (listed,) = deliveries(api, endpoint)
    patch(api, f"/api/webhooks/{endpoint.public_id}", {"enabled": False})
    for path in (
        f"/api/deliveries/{listed['id']}/redeliver",
        f"/api/webhooks/{endpoint.public_id}/deliver-now",
    ):
        assert error_of(post(api, path), 409)["code"] == "ENDPOINT_DISABLED"
    replay = post(api, f"/api/webhooks/{endpoint.public_id}/replay", {"since": LONG_AGO})
    assert error_of(replay, 409)["code"] == "ENDPOINT_DISABLED"


def test_deliver_now_sends_all_that_waits(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    publish("inst_1")
    publish("inst_2")
    receiver.answers = [answer(503), answer(503)]
    run(service)
    assert post(api, f"/api/webhooks/{endpoint.public_id}/deliver-now").status_code == 202
    due = Job.objects.filter(type="deliver_webhooks", run_at__lte=database_now())
    assert due.count() == 2


# Replays


def start(api: Client, endpoint: Endpoint, **fields: Any) -> dict[str, Any]:
    body = {"since": LONG_AGO, **fields}
    response = post(api, f"/api/webhooks/{endpoint.public_id}/replay", body)
    assert response.status_code == 202, response.content
    assert response["Location"] == f"/api/replays/{response.json()['id']}"
    return dict(response.json())


def finish(service: Service, *, rounds: int = 6) -> None:
    for _ in range(rounds):
        service.run("replay_webhooks")
        run(service)


def test_a_replay_sends_everything_again_a_few_at_a_time(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    for number in range(30):
        publish(f"inst_{number}")
    run(service, times=2)
    first = [headers["webhook-id"] for _, _, headers in receiver.got]
    receiver.got.clear()
    replay = start(api, endpoint)
    service.run("replay_webhooks")
    assert statuses(endpoint).count("pending") == 20
    finish(service)
    assert sorted(headers["webhook-id"] for _, _, headers in receiver.got) == sorted(first)
    shown = api.get(f"/api/replays/{replay['id']}").json()
    assert (shown["status"], shown["queued"], shown["delivered"]) == ("completed", 30, 30)


def test_a_replay_brings_what_happened_before_the_endpoint_was_made(
    service: Service, receiver: Receiver, publish: Publish, api: Client, project: Project
) -> None:
    publish("inst_1")
    publish("inst_1", "instance.updated")
    endpoint = make_endpoint(project)
    start(api, endpoint)
    finish(service)
    assert receiver.types == ["instance.running"]


def test_a_replay_chooses_by_time_type_instance_and_failure(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    publish("inst_1", "instance.failed")
    publish("inst_2")
    run(service)
    receiver.got.clear()
    start(api, endpoint, until=LONG_AGO[:3] + "1-01-01T00:00:00Z")
    start(api, endpoint, types=["instance.failed"], instanceId="inst_2")
    start(api, endpoint, onlyFailed=True)
    finish(service)
    assert receiver.got == []
    start(api, endpoint, types=["instance.failed"], instanceId="inst_1")
    finish(service)
    assert receiver.types == ["instance.failed"]


def test_the_same_replay_is_not_begun_twice(
    publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    publish()
    first = start(api, endpoint)
    assert start(api, endpoint)["id"] == first["id"]
    assert start(api, endpoint, onlyFailed=True)["id"] != first["id"]
    assert len(api.get("/api/replays").json()["replays"]) == 2


def test_only_a_few_replays_of_an_endpoint_run(
    publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    for number in range(5):
        start(api, endpoint, since=f"2020-01-0{number + 1}T00:00:00Z")
    path = f"/api/webhooks/{endpoint.public_id}/replay"
    response = post(api, path, {"since": "2021-01-01T00:00:00Z"})
    assert error_of(response, 409)["code"] == "REPLAY_LIMIT_REACHED"


def test_a_replay_to_an_endpoint_of_latest_states_sends_every_message(
    service: Service, receiver: Receiver, publish: Publish, api: Client, project: Project
) -> None:
    endpoint = make_endpoint(project, on_backlog="latest")
    for type_ in ("instance.starting", "instance.running"):
        publish(type_=type_)
    run(service)
    Message.objects.update(created_at="2026-01-01T00:00:00Z")
    receiver.got.clear()
    start(api, endpoint)
    finish(service)
    assert receiver.types == ["instance.starting", "instance.running"]


def test_a_cancelled_replay_sends_nothing_more(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    for number in range(30):
        publish(f"inst_{number}")
    run(service, times=2)
    receiver.got.clear()
    replay = start(api, endpoint)
    service.run("replay_webhooks")
    cancelled = post(api, f"/api/replays/{replay['id']}/cancel").json()
    assert cancelled["status"] == "cancelled"
    finish(service)
    assert receiver.got == []
    assert post(api, f"/api/replays/{replay['id']}/cancel").json() == cancelled


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"since": "yesterday"},
        {"since": "2030-01-01T00:00:00"},
        {"since": LONG_AGO, "types": ["x"]},
        {"since": LONG_AGO, "onlyFailed": 1},
        {"since": LONG_AGO, "more": 1},
        [],
        5,
    ],
)
def test_a_wrong_range_is_refused(api: Client, endpoint: Endpoint, body: Any) -> None:
    error_of(post(api, f"/api/webhooks/{endpoint.public_id}/replay", body), 400)


# The feed


def feed(api: Client, query: str = "") -> dict[str, Any]:
    response = api.get(f"/api/events{query}")
    assert response.status_code == 200, response.content
    return dict(response.json())


def test_the_feed_has_the_messages_that_endpoints_get(
    service: Service, receiver: Receiver, publish: Publish, api: Client, endpoint: Endpoint
) -> None:
    messages = [publish(), publish(type_="instance.stopped")]
    commit_all(messages)
    run(service)
    told = feed(api)
    assert [each["id"] for each in told["events"]] == [each.public_id for each in messages]
    assert told["events"][0]["message"] == {
        "type": "instance.running",
        "timestamp": "2030-01-01T00:00:00.000Z",
        "data": {"id": "inst_1"},
    }
    assert told["hasMore"] is False


def test_a_cursor_continues_where_an_answer_ended(publish: Publish, api: Client) -> None:
    messages = [publish(f"inst_{number}") for number in range(3)]
    commit_all(messages)
    first = feed(api, "?limit=2")
    rest = feed(api, f"?cursor={first['nextCursor']}")
    assert (first["hasMore"], rest["hasMore"]) == (True, False)
    assert [each["instanceId"] for each in rest["events"]] == ["inst_2"]
    nothing = feed(api, f"?cursor={rest['nextCursor']}")
    assert (nothing["events"], bool(nothing["nextCursor"])) == ([], True)
    assert feed(api, "?cursor=now")["events"] == []
    assert len(feed(api, "?types=instance.running&instanceId=inst_1")["events"]) == 1


@pytest.mark.parametrize("query", ["?cursor=x", "?limit=0", "?limit=101", "?types=x", "?a=1"])
def test_a_wrong_question_to_the_feed_is_refused(api: Client, query: str) -> None:
    error_of(api.get(f"/api/events{query}"), 400)


def test_nobody_reads_the_feed_of_others(
    publish: Publish, api: Client, other_project: Project
) -> None:
    commit_all([publish(of=other_project)])
    assert feed(api)["events"] == []


def commit_all(messages: list[Message]) -> None:
    """The test's transaction is still open; its messages count as committed."""
    Message.objects.filter(pk__in=[each.pk for each in messages]).update(xid=1)


def test_times_are_utc_with_milliseconds(publish: Publish, api: Client, endpoint: Endpoint) -> None:
    publish()
    (listed,) = deliveries(api, endpoint)
    assert listed["createdAt"] == iso(Delivery.objects.get().created_at)
