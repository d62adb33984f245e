"""GET /api/events/stream."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from accounts.models import ApiKey, Project
from accounts.services import revoke_api_key
from instances.models import Instance, InstanceEvent
from instances.streaming import process_hub
from tests.contract.documents import document
from tests.instances.streaming.conftest import make, move


class Reader:
    """Reads frames as an EventSource would."""

    def __init__(self, response: Any) -> None:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        self._response = response
        self._frames = self._split(iter(response.streaming_content))
        self.first = next(self._frames)

    def _split(self, chunks: Iterator[bytes]) -> Iterator[str]:
        rest = ""
        for chunk in chunks:
            *frames, rest = (rest + chunk.decode()).split("\n\n")
            yield from frames

    def frame(self) -> dict[str, str]:
        text = next(each for each in self._frames if not each.startswith(":"))
        return dict(line.split(": ", 1) for line in text.split("\n"))

    def next(self) -> dict[str, Any]:
        frame = self.frame()
        data = dict(json.loads(frame["data"]))
        assert (frame["id"], frame["event"]) == (data["id"], data["type"])
        return data

    def is_over(self) -> bool:
        return not [each for each in self._frames if not each.startswith(":")]

    def close(self) -> None:
        self._response.close()


def stream(api: Client, query: str = "", **headers: str) -> Reader:
    return Reader(api.get(f"/api/events/stream{query}", headers=headers))


def test_events_come_as_the_timeline_has_them(api: Client, instance: Instance) -> None:
    reader = stream(api)
    move(instance, "starting", "running")
    told = [reader.next(), reader.next()]
    listed = api.get(f"/api/instances/{instance.public_id}/events?after_sequence=1").json()
    assert told == listed["events"]
    assert told[0]["instanceId"] == instance.public_id
    reader.close()


def test_each_message_is_what_the_document_says(api: Client, instance: Instance) -> None:
    """The schema of a text/event-stream describes its messages, and that of data their JSON."""
    told = document()
    media = told["paths"]["/api/events/stream"]["get"]["responses"]["200"]["content"]
    assert list(media) == ["text/event-stream"]
    schema = {**media["text/event-stream"]["schema"], "components": told["components"]}
    reader = stream(api, "?lastEventId=start")
    first = dict(line.split(": ", 1) for line in reader.first.split("\n"))
    first["retry"] = int(first["retry"])  # type: ignore[assignment]
    frame = reader.frame()
    reader.close()
    checked = Draft202012Validator(schema)
    for message in (first, frame):
        checked.validate(message)
        assert set(message) <= set(told["components"]["schemas"]["StreamedEvent"]["properties"])
    event = told["components"]["schemas"]["StreamedEvent"]["properties"]["data"]["contentSchema"]
    data = {**event, "components": told["components"]}
    Draft202012Validator(data).validate(json.loads(frame["data"]))


def test_a_stream_begins_now_and_its_first_id_is_where_it_begins(
    api: Client, instance: Instance
) -> None:
    reader = stream(api)
    last = InstanceEvent.objects.get()
    assert reader.first == f"retry: 2000\nid: {last.public_id}"
    reader.close()
    move(instance, "starting")
    # The connection was lost before the first event, and nothing is missed.
    again = stream(api, **{"last-event-id": last.public_id})
    assert again.next()["toStatus"] == "starting"
    again.close()


def test_with_no_event_at_all_it_resumes_from_the_start(api: Client, project: Project) -> None:
    reader = stream(api)
    assert reader.first.endswith("id: start")
    reader.close()
    make(project)
    again = stream(api, "?lastEventId=start")
    assert again.next()["type"] == "instance.creating"
    again.close()


def test_the_header_counts_more_than_the_address_it_began_with(
    api: Client, instance: Instance
) -> None:
    move(instance, "starting", "running")
    second = InstanceEvent.objects.get(sequence=2).public_id
    reader = stream(api, "?lastEventId=start", **{"last-event-id": second})
    assert reader.next()["sequence"] == 3
    reader.close()


def test_an_instance_and_types_narrow_it(api: Client, instance: Instance, project: Project) -> None:
    other = make(project)
    reader = stream(
        api,
        f"?lastEventId=start&instance={instance.public_id}&types=instance.running,instance.stopped",
    )
    move(other, "starting", "running")
    move(instance, "starting", "running")
    event = reader.next()
    assert (event["instanceId"], event["type"]) == (instance.public_id, "instance.running")
    reader.close()


def test_others_events_never_come(api: Client, instance: Instance, other_project: Project) -> None:
    reader = stream(api)
    foreign = make(other_project)
    move(instance, "starting")
    assert reader.next()["instanceId"] == instance.public_id
    reader.close()
    assert api.get(f"/api/events/stream?instance={foreign.public_id}").status_code == 404
    event = InstanceEvent.objects.get(instance=foreign).public_id
    assert api.get(f"/api/events/stream?lastEventId={event}").status_code == 400


@pytest.mark.parametrize(
    "query", ["lastEventId=evt_none", "lastEventId=%00", "types=", "types=a,", "since=1", "types=A"]
)
def test_what_cannot_be_meant_is_refused(api: Client, query: str) -> None:
    response = api.get(f"/api/events/stream?{query}")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


def test_an_unknown_last_event_is_refused_in_the_header_too(api: Client) -> None:
    response = api.get("/api/events/stream", headers={"last-event-id": "evt_x\x00"})
    assert response.json()["error"]["validationErrors"][0]["field"] == "lastEventId"


def test_a_revoked_key_ends_its_streams(
    api: Client, instance: Instance, quick_key_checks: None
) -> None:
    reader = stream(api)
    revoke_api_key(ApiKey.objects.get())
    assert reader.is_over()


def test_a_process_that_stops_ends_its_streams(api: Client, instance: Instance) -> None:
    reader = stream(api)
    process_hub.begin_closing()
    assert reader.is_over()


def test_the_timeline_is_narrowed_by_sequence_and_type(api: Client, instance: Instance) -> None:
    move(instance, "starting", "running")
    path = f"/api/instances/{instance.public_id}/events"
    page = api.get(f"{path}?after_sequence=1&type=instance.running").json()
    assert [event["sequence"] for event in page["events"]] == [3]
    assert page["total"] == 1
    for query in ("after_sequence=x", "type=", "type=a.b&type=c.d", "until=1"):
        assert api.get(f"{path}?{query}").status_code == 400


def test_head_tells_what_a_stream_would_be_and_begins_none(api: Client) -> None:
    response = api.head("/api/events/stream")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response["X-Accel-Buffering"] == "no"
    assert not response.has_header("Content-Length")


@pytest.mark.parametrize("accept", ["text/event-stream", "text/*;q=0.1", "*/*"])
def test_a_stream_is_for_whoever_takes_one(api: Client, accept: str) -> None:
    assert api.head("/api/events/stream", headers={"accept": accept}).status_code == 200


def test_a_stream_refuses_in_json_whatever_is_asked_for(api: Client) -> None:
    headers = {"accept": "text/event-stream"}
    response = api.get("/api/events/stream?types=x", headers=headers)
    assert (response.status_code, response["Content-Type"]) == (400, "application/json")
