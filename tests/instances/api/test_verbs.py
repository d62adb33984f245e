"""DELETE /api/instances/{id}, POST …/start, /stop, /restart; and what a request may cost."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import Project
from accounts.services import create_api_key
from core.clock import database_now
from instances.domain.types import Cause, InstanceRequest
from instances.models import Instance
from instances.services import create_instance
from jobs.models import Job
from tests.conftest import client_of
from tests.instances.api.refusals import error_of

MINIMAL = {"name": "a", "productName": "RTX 4090", "templateId": "1"}
STATUSES = (
    *("creating", "starting", "running", "stopping", "stopped", "migrating"),
    *("terminating", "terminated", "failed"),
)
# From where a verb is accepted, and the status that it answers with.
ACCEPTED = {
    "start": {"stopped": "starting", "starting": "starting", "running": "running"},
    "stop": {"running": "stopping", "stopping": "stopping", "stopped": "stopped"},
    "restart": {"running": "starting"},
    "terminate": {
        **dict.fromkeys(STATUSES, "terminating"),
        "terminated": "terminated",
    },
}


def in_status(project: Project, status: str) -> Instance:
    spec = InstanceRequest(name="mine", product_name="RTX 4090", template_id="1", region="CN-HK-01")
    instance = create_instance(project=project, spec=spec, cause=Cause("tests")).instance
    fields: dict[str, Any] = {"upstream_id": "up-1", "upstream_account": "acc"}
    if status == "terminated":
        fields["upstream_gone_at"] = database_now()
    if status == "failed":
        fields["error_code"] = "STARTUP_FAILED"
    if status == "creating":
        fields = {"create_step": "post", "posted_at": database_now()}
    Instance.objects.filter(pk=instance.pk).update(status=status, **fields)
    instance.refresh_from_db()
    return instance


def call(api: Client, verb: str, public_id: str, **options: Any) -> Any:
    """Without a body there is no content type either, as with ``curl -X POST``."""
    if verb == "terminate":
        return api.generic("DELETE", f"/api/instances/{public_id}", **options)
    return api.generic("POST", f"/api/instances/{public_id}/{verb}", **options)


def live(verb: str) -> int:
    return Job.objects.live().filter(type=f"{verb}_instance").count()


each_verb = pytest.mark.parametrize("verb", list(ACCEPTED))


@pytest.mark.parametrize(
    ("verb", "status", "answer"),
    [
        (verb, status, answer)
        for verb, accepted in ACCEPTED.items()
        for status, answer in accepted.items()
    ],
)
def test_a_verb_is_accepted_where_it_makes_sense_and_repeating_it_changes_nothing(
    api: Client, project: Project, verb: str, status: str, answer: str
) -> None:
    instance = in_status(project, status)
    response = call(api, verb, instance.public_id)
    assert response.status_code == 202
    assert response["Location"] == f"/api/instances/{instance.public_id}"
    body = response.json()
    assert set(body) == {"instanceId", "status", "message"}
    assert (body["instanceId"], body["status"]) == (instance.public_id, answer)
    instance.refresh_from_db()
    before = (instance.status, instance.sequence, Job.objects.count())
    assert instance.status == answer
    again = call(api, verb, instance.public_id)
    assert (again.status_code, again.json()) == (202, body)
    instance.refresh_from_db()
    assert (instance.status, instance.sequence, Job.objects.count()) == before
    shown = api.get(f"/api/instances/{instance.public_id}").json()
    assert shown["status"] == answer


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        (verb, status)
        for verb, accepted in ACCEPTED.items()
        for status in STATUSES
        if status not in accepted
    ],
)
def test_where_it_makes_no_sense_it_is_a_conflict_and_nothing_happens(
    api: Client, project: Project, verb: str, status: str
) -> None:
    instance = in_status(project, status)
    error = error_of(call(api, verb, instance.public_id), 409)
    assert error["code"] == "INVALID_STATE"
    assert instance.public_id in error["message"]
    assert status in error["message"]
    assert live(verb) == 0
    before = instance.sequence
    instance.refresh_from_db()
    assert (instance.status, instance.sequence) == (status, before)


@pytest.mark.parametrize(
    ("verb", "status"),
    [("start", "stopped"), ("stop", "running"), ("restart", "running"), ("terminate", "running")],
)
def test_a_verb_leaves_one_job_and_one_event_with_the_callers_name(
    api: Client, project: Project, verb: str, status: str
) -> None:
    instance = in_status(project, status)
    for _ in range(3):
        response = call(api, verb, instance.public_id, headers={"x-request-id": "req-42"})
    assert response.status_code == 202
    assert live(verb) == 1
    changes = [event for event in instance.events.all() if event.from_status]
    (event,) = changes
    assert event.actor.startswith("key:")
    assert event.from_status == status
    assert event.request_id


def test_what_was_never_sent_is_terminated_at_once(api: Client, project: Project) -> None:
    instance = in_status(project, "creating")
    Instance.objects.update(create_step="choose", posted_at=None)
    assert call(api, "terminate", instance.public_id).json()["status"] == "terminated"
    details = api.get(f"/api/instances/{instance.public_id}").json()
    assert details["status"] == "terminated"
    assert "endedAt" in details


def test_a_terminated_instance_stays_readable(api: Client, project: Project) -> None:
    instance = in_status(project, "terminated")
    assert call(api, "terminate", instance.public_id).status_code == 202
    assert api.get(f"/api/instances/{instance.public_id}").json()["status"] == "terminated"


# Whose instance


@each_verb
def test_an_instance_of_others_does_not_exist_here(
    api: Client, project: Project, other_project: Project, verb: str
) -> None:
    theirs = in_status(other_project, "running")
    error = error_of(call(api, verb, theirs.public_id), 404)
    assert error["code"] == "INSTANCE_NOT_FOUND"
    theirs.refresh_from_db()
    assert (theirs.status, live(verb)) == ("running", 0)
    stranger = client_of(create_api_key(project=other_project, name="theirs"))
    assert call(stranger, verb, theirs.public_id).status_code in (202, 409)


@each_verb
def test_without_a_key_nothing_is_done(anonymous: Client, project: Project, verb: str) -> None:
    instance = in_status(project, "running")
    assert error_of(call(anonymous, verb, instance.public_id), 401)["code"] == "UNAUTHORIZED"
    instance.refresh_from_db()
    assert instance.status == "running"


@each_verb
@pytest.mark.parametrize(
    "hostile",
    [
        *("inst_1", "%00", "inst_%00", "'; DROP TABLE x; --", "..%2f..%2fadmin", "%F0%9F%92%A9"),
        *("a" * 2000, "%ff%fe", "None", "0", "-1", "inst_1%0aX-Evil: 1", "*", "%25s"),
    ],
)
def test_hostile_ids_are_not_found(api: Client, project: Project, verb: str, hostile: str) -> None:
    error = error_of(call(api, verb, hostile), 404)
    assert error["code"] in ("INSTANCE_NOT_FOUND", "NOT_FOUND")


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_verbs_are_posted(api: Client, project: Project, verb: str, method: str) -> None:
    instance = in_status(project, "running")
    response = getattr(api, method)(f"/api/instances/{instance.public_id}/{verb}")
    assert error_of(response, 405)["code"] == "METHOD_NOT_ALLOWED"


# Bodies


@each_verb
@pytest.mark.parametrize("body", ["", "{}", "null"])
def test_an_empty_body_is_none(api: Client, project: Project, verb: str, body: str) -> None:
    instance = in_status(project, "stopped" if verb == "start" else "running")
    options = {"data": body, "content_type": "application/json"}
    assert call(api, verb, instance.public_id, **options).status_code == 202


@each_verb
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"force": True}, ["force"]),
        ({"token": "hunter2-secret", "a": None}, ["token", "a"]),
        ([], ["body"]),
        ([1], ["body"]),
        ([[1]], ["body"]),
        (["force"], ["body"]),
        ("force", ["body"]),
        (5, ["body"]),
        (0, ["body"]),
        (False, ["body"]),
        (True, ["body"]),
        (1.5, ["body"]),
        ("", ["body"]),
    ],
)
def test_a_body_that_says_something_is_refused_and_not_echoed(
    api: Client, project: Project, verb: str, body: Any, fields: list[str]
) -> None:
    instance = in_status(project, "stopped" if verb == "start" else "running")
    options = {"data": json.dumps(body), "content_type": "application/json"}
    response = call(api, verb, instance.public_id, **options)
    error = error_of(response, 400)
    assert error["code"] == "VALIDATION_ERROR"
    assert [entry["field"] for entry in error["validationErrors"]] == fields
    assert all("value" not in entry for entry in error["validationErrors"])
    assert "hunter2" not in response.content.decode()
    assert live(verb) == 0


@each_verb
def test_a_body_that_is_no_json_is_refused(api: Client, project: Project, verb: str) -> None:
    instance = in_status(project, "running")
    options = {"data": "{", "content_type": "application/json"}
    error_of(call(api, verb, instance.public_id, **options), 400)
    assert live(verb) == 0
