"""The examples of the contract, as the OpenAPI document shows them."""

from typing import Any

from instances.api.messages import CREATED_MESSAGE

EXAMPLE_ID = "inst_12345_abcde"

REQUEST = {
    "name": "my-gpu-instance",
    "productName": "A100-SXM4-40GB",
    "templateId": "tf-training-template-1",
    "gpuNum": 2,
    "rootfsSize": 100,
    "region": "US-WEST-01",
    "webhookUrl": "https://myapp.com/webhook",
}
INVALID_REQUEST = {
    "name": "invalid name!",
    "productName": "",
    "templateId": "",
    "gpuNum": 10,
    "rootfsSize": 5,
    "region": "INVALID-REGION",
    "webhookUrl": "not-a-url",
}
_INVALID_FIELDS = {
    "name": "Name must contain only alphanumeric characters, hyphens, and underscores",
    "productName": "Product name is required",
    "templateId": "Template ID is required",
    "gpuNum": "GPU number must be at most 8",
    "rootfsSize": "Root filesystem size must be at least 20 GB",
    "region": "Region must be one of: CN-HK-01, US-WEST-01, EU-WEST-01",
    "webhookUrl": "Webhook URL must be a valid HTTP or HTTPS URL",
}
INVALID = {
    "error": {
        "code": "VALIDATION_ERROR",
        "message": "The request is not valid; validationErrors lists each error.",
        "retryable": False,
        "suggestion": "Correct the fields named in validationErrors; the unchanged request fails "
        "again.",
        "timestamp": "2023-12-01T10:00:00.000Z",
        "requestId": "req_5f2b8c0d9e1a4f6b7c3d2e10",
        "validationErrors": [
            {"field": name, "message": message, "value": INVALID_REQUEST[name]}
            for name, message in _INVALID_FIELDS.items()
        ],
    }
}
CREATED = {
    "instanceId": EXAMPLE_ID,
    "status": "creating",
    "message": CREATED_MESSAGE,
    "estimatedReadyTime": "2023-12-01T10:05:00.000Z",
}
DETAILS = {
    "id": EXAMPLE_ID,
    "name": "my-gpu-instance",
    "status": "running",
    "gpuNum": 2,
    "region": "US-WEST-01",
    "product": {"name": "A100-SXM4-40GB", "id": "prod-a100-usca6"},
    "templateId": "tf-training-template-1",
    "rootfsSize": 100,
    "billingMode": "spot",
    "tags": {"team": "vision", "run": "2026-11-25/3"},
    "portMappings": [
        {"port": 22, "endpoint": "ssh://gpu-instance-123.novitai.com:22", "type": "tcp"},
        {
            "port": 8888,
            "endpoint": "https://jupyter.gpu-instance-123.novitai.com",
            "type": "https",
        },
    ],
    "connectionDetails": {
        "ssh": "ssh://gpu-instance-123.novitai.com:22",
        "jupyter": "https://jupyter.gpu-instance-123.novitai.com",
    },
    "createdAt": "2023-12-01T10:00:00.000Z",
    "readyAt": "2023-12-01T10:04:30.000Z",
    "pricePerHourUsd": "0.70",
    "costUsd": "0.0525",
    "events": "/api/instances/inst_12345_abcde/events",
    "jobs": "/api/jobs?instance=inst_12345_abcde",
}
EVENTS: dict[str, Any] = {
    "events": [
        {
            "id": "evt_3b0c44298fc1c149afbf4c89",
            "instanceId": EXAMPLE_ID,
            "sequence": 1,
            "type": "instance.creating",
            "toStatus": "creating",
            "occurredAt": "2023-12-01T10:00:00.000Z",
            "actor": "key:key_2cf24dba5fb0a30e26e83b2a",
            "cause": "requested over the API",
            "requestId": "req_5f2b8c0d9e1a4f6b7c3d2e10",
        },
        {
            "id": "evt_7d865e959b2466918c9863af",
            "instanceId": EXAMPLE_ID,
            "sequence": 2,
            "type": "instance.starting",
            "fromStatus": "creating",
            "toStatus": "starting",
            "occurredAt": "2023-12-01T10:00:01.250Z",
            "actor": "worker",
            "cause": "created at Novita",
            "requestId": "req_5f2b8c0d9e1a4f6b7c3d2e10",
            "jobId": "job_486ea46224d1bb4fb680f34f",
        },
    ],
    "total": 2,
    "hasMore": False,
}
