"""GET /api/instances/{id}/wait."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count, pairwise
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import ApiKey, Project
from accounts.services import create_api_key, revoke_api_key
from core.clock import database_now
from instances.models import Instance
from instances.streaming import process_hub
from instances.streaming.connection_limits import OF_PROCESS, ConnectionLimits, LimitReached
from instances.streaming.hub import KEYS_SECONDS
from tests.conftest import client_of
from tests.instances.streaming.conftest import make, move


def wait(api: Client, instance: Instance, query: str = "") -> dict[str, Any]:
    response = api.get(f"/api/instances/{instance.public_id}/wait{query}")
    assert response.status_code == 200
    return dict(json.loads(response.getvalue()))


@pytest.fixture
def meanwhile() -> Callable[[Callable[[], None]], threading.Thread]:
    """Does something in another thread once somebody waits."""

    def start(what: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            poll = threading.Event()
            while not process_hub.hub().connection_limits.taken:
                poll.wait(0.01)
            what()
            connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    return start


def test_what_has_been_reached_is_answered_at_once(api: Client, instance: Instance) -> None:
    answer = wait(api, instance, "?status=creating")
    assert answer["reached"] is True
    assert (answer["waitResult"], answer["reachedStatus"]) == ("reached", "creating")
    assert (answer["id"], answer["sequence"]) == (instance.public_id, 1)


def test_an_event_ends_the_wait(api: Client, instance: Instance, meanwhile: Any) -> None:
    thread = meanwhile(lambda: move(instance, "starting", "running"))
    answer = wait(api, instance)
    thread.join()
    assert (answer["reachedStatus"], answer["status"], answer["sequence"]) == (
        *("running", "running"),
        3,
    )
    assert process_hub.hub().connection_limits.taken == 0


def test_a_status_that_lasted_a_moment_is_not_missed(api: Client, instance: Instance) -> None:
    move(instance, "starting", "running", "stopped")
    answer = wait(api, instance, "?status=running&after_sequence=1")
    assert (answer["reachedStatus"], answer["sequence"], answer["status"]) == (
        *("running", 3),
        "stopped",
    )


def test_what_was_so_before_does_not_count_behind_a_sequence(
    api: Client, instance: Instance
) -> None:
    move(instance, "starting", "running")
    answer = wait(api, instance, "?status=running&after_sequence=3&timeout=0")
    assert (answer["reached"], answer["waitResult"], answer["sequence"]) == (False, "timeout", 3)


def test_when_the_time_is_up_the_answer_is_how_things_are(api: Client, instance: Instance) -> None:
    answer = wait(api, instance, "?timeout=1")
    assert (answer["reached"], answer["waitResult"], answer["status"]) == (
        *(False, "timeout"),
        "creating",
    )
    assert "reachedStatus" not in answer


def test_nobody_waits_for_what_can_never_be(api: Client, instance: Instance) -> None:
    move(instance, "terminating", "terminated")
    assert wait(api, instance, "?status=running")["waitResult"] == "unreachable"


def test_a_wait_ends_when_an_event_puts_its_aim_out_of_reach(
    api: Client, instance: Instance, meanwhile: Any
) -> None:
    thread = meanwhile(lambda: move(instance, "terminating"))
    answer = wait(api, instance, "?status=running")
    thread.join()
    assert (answer["reached"], answer["waitResult"]) == (False, "unreachable")


def test_a_process_that_stops_answers_those_who_wait(
    api: Client, instance: Instance, meanwhile: Any
) -> None:
    thread = meanwhile(process_hub.begin_closing)
    assert wait(api, instance)["waitResult"] == "shutdown"
    thread.join()


def test_instances_of_others_cannot_be_waited_for(
    api: Client, instance: Instance, other_project: Project
) -> None:
    for unknown in (make(other_project).public_id, "inst_none", "a%00b"):
        response = api.get(f"/api/instances/{unknown}/wait")
        assert (response.status_code, response.json()["error"]["code"]) == (
            404,
            "INSTANCE_NOT_FOUND",
        )


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *(("timeout=61", "timeout"), ("timeout=-1", "timeout"), ("timeout=1.5", "timeout")),
        *(
            ("timeout=", "timeout"),
            ("timeout=%D9%A3", "timeout"),
            ("timeout=1&timeout=2", "timeout"),
        ),
        *(("status=", "status"), ("status=a%00", "status"), ("status=running,", "status")),
        *(("status=ready", "status"), ("after_sequence=x", "after_sequence")),
        *(("after_sequence=9999999999", "after_sequence"), ("until=1", "until")),
    ],
)
def test_what_cannot_be_meant_is_refused(
    api: Client, instance: Instance, query: str, field: str
) -> None:
    response = api.get(f"/api/instances/{instance.public_id}/wait?{query}")
    assert response.status_code == 400
    assert [entry["field"] for entry in response.json()["error"]["validationErrors"]] == [field]


def test_head_does_not_wait(api: Client, instance: Instance) -> None:
    response = api.head(f"/api/instances/{instance.public_id}/wait")
    assert (response.status_code, response.content) == (200, b"")


def test_so_many_may_wait_and_no_more(api: Client, instance: Instance) -> None:
    limits = process_hub.hub().connection_limits
    path = f"/api/instances/{instance.public_id}/wait"
    taken = take_all(limits, instance.project_id)
    response = api.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (429, "TOO_MANY_WAITING")
    for release in taken:
        release()
    others = count(instance.project_id + 1)
    while take_all(limits, next(others)):
        pass
    for address in (path, "/api/events/stream"):
        response = api.get(address)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert response.json()["error"]["code"] == "SERVICE_UNAVAILABLE"


def take_all(limits: ConnectionLimits, project_id: int) -> list[Callable[[], None]]:
    """Until the project gets no more."""
    taken: list[Callable[[], None]] = []
    with suppress(LimitReached):
        while True:
            taken.append(limits.take(project_id))
    return taken


def test_projects_that_take_all_they_may_leave_places_for_others() -> None:
    limits = ConnectionLimits()
    shares = [len(take_all(limits, number)) for number in range(12)]
    assert shares[0] == 1000
    assert all(earlier >= later > 0 for earlier, later in pairwise(shares))
    assert limits.taken < OF_PROCESS


def test_who_has_much_gets_no_more_when_others_leave_little() -> None:
    limits = ConnectionLimits(of_process=9)
    first = take_all(limits, 1)
    others = [limits.take(2), limits.take(3), limits.take(4)]
    assert (len(first), len(take_all(limits, 1))) == (3, 0)
    for release in others:
        release()
    assert take_all(limits, 1) == []
    first[0]()
    assert len(take_all(limits, 1)) == 1


def test_a_slot_is_released_once() -> None:
    limits = ConnectionLimits(of_process=2)
    release = limits.take(1)
    with pytest.raises(LimitReached) as refused:
        limits.take(1)
    assert refused.value.is_of_project
    limits.take(2)
    with pytest.raises(LimitReached) as refused:
        limits.take(3)
    assert not refused.value.is_of_project
    release()
    release()
    assert limits.taken == 1


def expired(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(expires_at=database_now() - timedelta(seconds=1))


@pytest.mark.parametrize("ending", [revoke_api_key, expired, ApiKey.delete])
def test_a_key_that_dies_ends_its_waits_with_the_refusal_of_a_dead_key(
    api: Client, instance: Instance, meanwhile: Any, quick_key_checks: None, ending: Any
) -> None:
    thread = meanwhile(lambda: ending(ApiKey.objects.get()))
    path = f"/api/instances/{instance.public_id}/wait"
    response = api.get(path, headers={"x-request-id": "waits"})
    body = json.loads(response.getvalue())
    thread.join()
    assert set(body) == {"error"}
    assert (body["error"]["code"], body["error"]["requestId"]) == ("UNAUTHORIZED", "waits")
    assert body["error"]["message"] == api.get(path).json()["error"]["message"]
    assert process_hub.hub().connection_limits.taken == 0


def test_a_dead_key_ends_no_wait_of_another(
    api: Client, project: Project, instance: Instance, meanwhile: Any, quick_key_checks: None
) -> None:
    other = client_of(create_api_key(project=project, name="other"))

    def revoke_and_move() -> None:
        revoke_api_key(ApiKey.objects.get(name="tests"))
        move(instance, "starting", "running")

    thread = meanwhile(revoke_and_move)
    assert wait(other, instance)["reached"] is True
    thread.join()


def test_keys_are_checked_every_few_seconds() -> None:
    assert KEYS_SECONDS <= 5
