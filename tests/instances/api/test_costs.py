"""What a request may cost: price, time, failed starts, and the project's limits."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import Project
from instances.models import Instance
from instances.services import set_project_limits
from tests.instances.api.refusals import error_of

MINIMAL = {"name": "a", "productName": "RTX 4090", "templateId": "1"}


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
        *("10000.00001", '"10000.00001"', "1e5", "99999", "true", "false", "[]", "{}"),
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


@pytest.mark.parametrize("raw", ["1", "60", "527040", "1.0", "1e2"])
def test_a_runtime_is_taken_in_minutes(api: Client, raw: str) -> None:
    assert post(api, f'"maxRuntimeMinutes": {raw}').status_code == 201
    assert Instance.objects.get().max_runtime_minutes == int(float(raw))


@pytest.mark.parametrize(
    "raw",
    [
        *("0", "-1", "527041", "1.5", '"60"', "true", "false", "NaN", "1e400"),
        *("[]", "{}", "1" * 400),
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


@pytest.mark.parametrize("raw", ['"Keep"', '"stop"', '""', "true", "1", "[]", '["keep"]'])
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
