"""POST /api/instances."""

import json
from typing import Any

from django.test import Client

from accounts.models import Project
from instances.models import Instance
from jobs.models import Job

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
