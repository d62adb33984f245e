"""POST /api/instances."""

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Project
from instances.models import Instance, InstanceEvent
from jobs.models import Job, JobPriority

VALID = {
    "name": "my-gpu-instance",
    "productName": "A100-SXM4-40GB",
    "templateId": "tf-training-template-1",
    "gpuNum": 2,
    "rootfsSize": 100,
    "region": "US-WEST-01",
    "webhookUrl": "https://myapp.com/webhook",
}
MINIMAL = {"name": "a", "productName": "RTX 4090", "templateId": "1"}


def post(api: Client, body: Any, **options: Any) -> Any:
    return api.post("/api/instances", json.dumps(body), content_type="application/json", **options)


def entries(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 400, response.content
    assert response.json()["error"]["code"] == "VALIDATION_ERROR"
    found: list[dict[str, Any]] = response.json()["error"]["validationErrors"]
    return found


def test_the_examples_request_is_accepted_with_everything_it_asked_for(
    api: Client, project: Project
) -> None:
    response = post(api, VALID)
    assert response.status_code == 201
    answer = response.json()
    assert set(answer) == {"instanceId", "status", "message", "estimatedReadyTime"}
    assert answer["status"] == "creating"
    assert response["Location"] == f"/api/instances/{answer['instanceId']}"
    instance = Instance.objects.get(public_id=answer["instanceId"])
    assert instance.project == project
    assert (instance.name, instance.product_name) == ("my-gpu-instance", "A100-SXM4-40GB")
    assert (instance.gpu_num, instance.rootfs_size_gb) == (2, 100)
    assert (instance.region, instance.template_id) == ("US-WEST-01", "tf-training-template-1")
    assert instance.webhook_url == "https://myapp.com/webhook"


def test_the_examples_bad_request_has_one_error_per_bad_field(api: Client) -> None:
    body = {
        "name": "invalid name!",
        "productName": "",
        "templateId": "",
        "gpuNum": 10,
        "rootfsSize": 5,
        "region": "INVALID-REGION",
        "webhookUrl": "not-a-url",
    }
    assert entries(post(api, body)) == [
        {
            "field": "name",
            "message": "Name must contain only alphanumeric characters, hyphens, and underscores",
            "value": "invalid name!",
        },
        {"field": "productName", "message": "Product name is required", "value": ""},
        {"field": "templateId", "message": "Template ID is required", "value": ""},
        {"field": "gpuNum", "message": "GPU number must be at most 8", "value": 10},
        {
            "field": "rootfsSize",
            "message": "Root filesystem size must be at least 20 GB",
            "value": 5,
        },
        {
            "field": "region",
            "message": "Region must be one of: CN-HK-01, US-WEST-01, EU-WEST-01",
            "value": "INVALID-REGION",
        },
        {
            "field": "webhookUrl",
            "message": "Webhook URL must be a valid HTTP or HTTPS URL",
            "value": "not-a-url",
        },
    ]
    assert not Instance.objects.exists()
    assert not Job.objects.exists()


def test_only_three_fields_are_needed_and_the_rest_has_defaults(api: Client) -> None:
    response = post(api, MINIMAL)
    assert response.status_code == 201
    instance = Instance.objects.get(public_id=response.json()["instanceId"])
    assert (instance.gpu_num, instance.rootfs_size_gb) == (1, 60)
    assert (instance.region, instance.billing_mode) == ("CN-HK-01", "spot")
    assert instance.webhook_url == ""


def test_acceptance_writes_the_event_and_the_job_with_actor_and_request_id(api: Client) -> None:
    response = post(api, VALID, headers={"x-request-id": "mine-1"})
    instance = Instance.objects.get(public_id=response.json()["instanceId"])
    event = InstanceEvent.objects.get(instance=instance)
    assert (event.sequence, event.type, event.request_id) == (1, "instance.creating", "mine-1")
    assert event.actor.startswith("key:key_")
    job = Job.objects.get(type="create_instance")
    assert (job.subject, job.priority) == (instance.public_id, JobPriority.HIGH)
    assert job.request_id == "mine-1"


def test_a_template_id_may_be_a_number(api: Client) -> None:
    response = post(api, {**MINIMAL, "templateId": 12345})
    assert response.status_code == 201
    assert Instance.objects.get().template_id == "12345"


def test_the_product_name_is_kept_as_it_was_sent(api: Client) -> None:
    assert post(api, {**MINIMAL, "productName": "rtx  4090 24GB"}).status_code == 201
    assert Instance.objects.get().product_name == "rtx  4090 24GB"


NAME_FORM = "Name must contain only alphanumeric characters, hyphens, and underscores"
TEMPLATE_TYPE = "Template ID must be a non-empty string or a positive integer"
BAD_URL = "Webhook URL must be a valid HTTP or HTTPS URL"
USER_INFO = "Webhook URL must not contain a user name or password"
LONG_URL = "Webhook URL must be at most 2048 characters"
CONTROL = "Product name must not contain control characters"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "Name is required"),
        ("name", None, "Name must not be null"),
        ("name", 5, "Name must be a string"),
        ("name", ["a"], "Name must be a string"),
        ("name", "a" * 101, "Name must be at most 100 characters"),
        ("name", "a\n", NAME_FORM),
        ("name", " ", NAME_FORM),
        ("name", "a.b", NAME_FORM),
        ("name", "naïve", NAME_FORM),
        ("name", "١٢٣", NAME_FORM),
        ("productName", None, "Product name must not be null"),
        ("productName", 4090, "Product name must be a string"),
        ("productName", "   ", "Product name is required"),
        ("productName", "a" * 201, "Product name must be at most 200 characters"),
        ("productName", "RTX\t4090", CONTROL),
        ("productName", "RTX\x7f", CONTROL),
        ("templateId", None, "Template ID must not be null"),
        ("templateId", 0, TEMPLATE_TYPE),
        ("templateId", -1, TEMPLATE_TYPE),
        ("templateId", 1.5, TEMPLATE_TYPE),
        ("templateId", 1e300, TEMPLATE_TYPE),
        ("templateId", 10**30, TEMPLATE_TYPE),
        ("templateId", True, TEMPLATE_TYPE),
        ("templateId", {}, TEMPLATE_TYPE),
        ("templateId", " ", "Template ID is required"),
        ("templateId", "a" * 256, "Template ID must be at most 255 characters"),
        ("templateId", "a\x00b", "Text must not contain the character U+0000."),
        ("templateId", "a\r\nb", "Template ID must not contain control characters"),
        ("gpuNum", "2", "GPU number must be an integer"),
        ("gpuNum", 2.5, "GPU number must be an integer"),
        ("gpuNum", 1e30, "GPU number must be an integer"),
        ("gpuNum", "2.0", "GPU number must be an integer"),
        ("gpuNum", -0.0, "GPU number must be at least 1"),
        ("gpuNum", True, "GPU number must be an integer"),
        ("gpuNum", 10**30, "GPU number must be an integer"),
        ("gpuNum", 0, "GPU number must be at least 1"),
        ("gpuNum", -1, "GPU number must be at least 1"),
        ("gpuNum", 9, "GPU number must be at most 8"),
        ("rootfsSize", "60", "Root filesystem size must be an integer"),
        ("rootfsSize", 19, "Root filesystem size must be at least 20 GB"),
        ("rootfsSize", 1001, "Root filesystem size must be at most 1000 GB"),
        ("region", "", "Region must be one of: CN-HK-01, US-WEST-01, EU-WEST-01"),
        ("region", "us-west-01", "Region must be one of: CN-HK-01, US-WEST-01, EU-WEST-01"),
        ("region", ["CN-HK-01"], "Region must be one of: CN-HK-01, US-WEST-01, EU-WEST-01"),
        ("billingMode", "ondemand", "Billing mode must be one of: spot, onDemand"),
        ("billingMode", 1, "Billing mode must be one of: spot, onDemand"),
        ("webhookUrl", 5, "Webhook URL must be a string"),
        ("webhookUrl", "", BAD_URL),
        ("webhookUrl", "ftp://a.example/x", BAD_URL),
        ("webhookUrl", "javascript:alert(1)", BAD_URL),
        ("webhookUrl", "//a.example/x", BAD_URL),
        ("webhookUrl", "https://", BAD_URL),
        ("webhookUrl", "https://a.example:99999/", BAD_URL),
        ("webhookUrl", "https://a.example:0/", BAD_URL),
        ("webhookUrl", "https://a.example/\n", BAD_URL),
        ("webhookUrl", "https://a b.example/", BAD_URL),
        ("webhookUrl", "https://[::1/", BAD_URL),
        ("webhookUrl", "https://me:pw@a.example/", USER_INFO),
        ("webhookUrl", "https://a.example/" + "a" * 2040, LONG_URL),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_in_its_own_words(
    api: Client, field: str, value: Any, message: str
) -> None:
    found = entries(post(api, {**MINIMAL, field: value}))
    assert [(entry["field"], entry["message"]) for entry in found] == [(field, message)]
    assert not Instance.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a"),
        ("name", "A-_9" * 25),
        ("gpuNum", 8),
        ("rootfsSize", 20),
        ("rootfsSize", 1000),
        ("region", "EU-WEST-01"),
        ("billingMode", "onDemand"),
        ("templateId", "sha-\u00e9"),
        ("webhookUrl", "http://127.0.0.1:8123/hook"),
        ("webhookUrl", "https://[2001:db8::1]:8443/hook?x=1"),
        ("webhookUrl", "https://user.example/a@b"),
    ],
)
def test_values_at_the_edge_of_a_rule_pass(api: Client, field: str, value: Any) -> None:
    assert post(api, {**MINIMAL, field: value}).status_code == 201


def test_missing_fields_are_all_named_at_once(api: Client) -> None:
    messages = [entry["message"] for entry in entries(post(api, {}))]
    assert messages == ["Name is required", "Product name is required", "Template ID is required"]


def test_unknown_fields_are_errors_beside_the_others_and_their_values_stay_unspoken(
    api: Client,
) -> None:
    found = entries(post(api, {**MINIMAL, "gpuNum": 0, "color": "hunter2", "__class__": "x"}))
    assert [entry["field"] for entry in found] == ["gpuNum", "color", "__class__"]
    assert [entry["message"] for entry in found][1:] == ["Unknown field"] * 2
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize("body", [[], [1], "text", 5, None, True])
def test_a_body_that_is_no_object_is_refused(api: Client, body: Any) -> None:
    found = entries(post(api, body))
    assert found == [{"field": "body", "message": "The body must be a JSON object"}]


def test_long_values_are_echoed_in_part_only(api: Client) -> None:
    found = entries(post(api, {**MINIMAL, "name": "é" * 10_000, "gpuNum": [1] * 500}))
    assert found[0]["value"] == "é" * 200
    assert len(found[1]["value"]) == 200


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@a.example/", "ftp://me:hunter2@a", "no?key=hunter2", ["hunter2"]]
)  # fmt: skip
def test_a_url_that_may_hold_a_secret_is_not_echoed(api: Client, url: Any) -> None:
    response = post(api, {**MINIMAL, "webhookUrl": url})
    assert "value" not in entries(response)[0]
    assert b"hunter2" not in response.content


def test_the_configured_regions_are_the_ones_that_count(api: Client, settings: Any) -> None:
    regions = {"MARS-01": settings.CONFIG.regions["CN-HK-01"]}
    settings.CONFIG = settings.CONFIG.model_copy(
        update={"regions": regions, "default_region": "MARS-01"}
    )
    assert post(api, MINIMAL).status_code == 201
    assert Instance.objects.get().region == "MARS-01"
    found = entries(post(api, {**MINIMAL, "region": "CN-HK-01"}))
    assert found[0]["message"] == "Region must be one of: MARS-01"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*VALID, "billingMode", "other"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.dictionaries(FIELDS, JSON_VALUES, max_size=9))
def test_no_json_object_whatsoever_ends_in_a_server_error(api: Client, body: Any) -> None:
    response = post(api, body)
    assert response.status_code in (201, 400)
    if response.status_code == 400:
        assert entries(response)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=200) | st.text(alphabet='[]{}",:\\u0d8fn1e+.-', max_size=60))
def test_no_bytes_whatsoever_end_in_a_server_error(api: Client, body: Any) -> None:
    response = api.post("/api/instances", body, content_type="application/json")
    assert entries(response)
