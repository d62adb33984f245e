"""DELETE /api/instances/{id}, POST …/start, /stop, /restart; and what a request may cost."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import Project
from accounts.services import create_api_key
from instances.database_clock import database_now
from instances.models import Instance
from instances.services import create_instance, set_project_limits
from instances.types import Cause, Wish
from jobs.models import Job
from tests.conftest import client_of

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
    wish = Wish(name="mine", product_name="RTX 4090", template_id="1", region="CN-HK-01")
    instance = create_instance(project=project, wish=wish, cause=Cause("tests")).instance
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


def error_of(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    (name, error), *others = response.json().items()
    assert (name, others) == ("error", [])
    assert {"code", "message", "timestamp", "requestId"} <= set(error)
    return dict(error)


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


# What a request may cost


def post(api: Client, raw: str) -> Any:
    body = json.dumps(MINIMAL)[:-1] + f", {raw}}}"
    return api.post("/api/instances", body, content_type="application/json")


@pytest.mark.parametrize(
    ("raw", "e5"),
    [
        *(('"1.5"', 150_000), ('"1.50"', 150_000), ('"0.00001"', 1), ('"10000"', 1_000_000_000)),
        *(("1", 100_000), ("0.7", 70_000), ("1.00", 100_000), ("1e2", 10_000_000)),
        *(('"007"', 700_000), ("0.1", 10_000), ('"0.30000"', 30_000)),
        # What clients calculate is cut down: a cap is never exceeded.
        *(("0.30000000000000004", 30_000), ("1.234567", 123_456), ("1e-5", 1)),
    ],
)
def test_a_price_cap_is_taken_by_its_digits(api: Client, raw: str, e5: int) -> None:
    response = post(api, f'"maxPricePerHourUsd": {raw}')
    assert response.status_code == 201, response.content
    assert Instance.objects.get().max_price_per_hour_e5_usd == e5


@pytest.mark.parametrize(
    "raw",
    [
        *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "-1", "-0.5", "0", "0.0"),
        *('"0"', '"0.00000"', '"-1"', '"NaN"', '"inf"', '"1e2"', '"1.234567"', "0.000009"),
        *("10000.00001", '"10000.00001"', "1e5", "99999", "true", "false", "null", "[]", "{}"),
        *('""', '" 1"', '"1 "', '"1\\n"', '"\u0661"', '"1,5"', '"+1"', '".5"', '"5."', '"0x1"'),
        *('["1.5"]', '{"usd": 1}', "1" * 400, '"' + "1" * 4000 + '"'),
    ],
)
def test_what_is_no_price_is_refused(api: Client, raw: str) -> None:
    error = error_of(post(api, f'"maxPricePerHourUsd": {raw}'), 400)
    (entry,) = error["validationErrors"]
    # What is no JSON, or no number that JSON can carry, is refused before any field is read.
    assert entry["field"] in ("maxPricePerHourUsd", "body")
    assert not Instance.objects.exists()


@pytest.mark.parametrize("raw", ["1", "60", "527040"])
def test_a_runtime_is_taken_in_minutes(api: Client, raw: str) -> None:
    assert post(api, f'"maxRuntimeMinutes": {raw}').status_code == 201
    assert Instance.objects.get().max_runtime_minutes == int(raw)


@pytest.mark.parametrize(
    "raw",
    [
        *("0", "-1", "527041", "1.5", "1.0", '"60"', "true", "false", "null", "NaN", "1e400"),
        *("1e2", "[]", "{}", "1" * 400),
    ],
)
def test_what_is_no_runtime_is_refused(api: Client, raw: str) -> None:
    error = error_of(post(api, f'"maxRuntimeMinutes": {raw}'), 400)
    (entry,) = error["validationErrors"]
    assert entry["field"] in ("maxRuntimeMinutes", "body")
    assert not Instance.objects.exists()


@pytest.mark.parametrize("policy", ["terminate", "keep"])
def test_a_policy_for_failures_is_kept(api: Client, policy: str) -> None:
    assert post(api, f'"onStartFailure": "{policy}"').status_code == 201
    assert Instance.objects.get().on_start_failure == policy


@pytest.mark.parametrize("raw", ['"Keep"', '"stop"', '""', "null", "true", "1", "[]", '["keep"]'])
def test_any_other_policy_is_refused(api: Client, raw: str) -> None:
    error = error_of(post(api, f'"onStartFailure": {raw}'), 400)
    (entry,) = error["validationErrors"]
    assert entry["field"] == "onStartFailure"
    assert entry["message"].startswith("On start failure must ")


def test_what_is_beyond_the_projects_maxima_is_refused_field_by_field(
    api: Client, project: Project
) -> None:
    set_project_limits(project, longest_runtime_minutes=60, highest_price_e5_usd=50_000)
    response = post(api, '"maxPricePerHourUsd": "0.51", "maxRuntimeMinutes": 61')
    error = error_of(response, 400)
    assert {entry["field"]: entry["value"] for entry in error["validationErrors"]} == {
        "maxPricePerHourUsd": "0.51",
        "maxRuntimeMinutes": 61,
    }
    assert post(api, '"maxPricePerHourUsd": "0.5", "maxRuntimeMinutes": 60').status_code == 201


def test_a_project_that_is_full_says_so(api: Client, project: Project) -> None:
    set_project_limits(project, live_instance_limit=1)
    assert post(api, '"gpuNum": 1').status_code == 201
    error = error_of(post(api, '"gpuNum": 1'), 409)
    assert error["code"] == "INSTANCE_LIMIT_REACHED"
    assert "1 live instance" in error["message"]
    assert Instance.objects.count() == 1


def test_limits_are_shown_as_they_were_asked_for(api: Client) -> None:
    made = post(api, '"maxPricePerHourUsd": 0.7, "maxRuntimeMinutes": 90').json()["instanceId"]
    details = api.get(f"/api/instances/{made}").json()
    assert (details["maxPricePerHourUsd"], details["maxRuntimeMinutes"]) == ("0.70", 90)
    assert "expiresAt" not in details
