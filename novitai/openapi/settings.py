"""Settings of drf-spectacular, which makes the OpenAPI document."""

from novitai import VERSION
from novitai.openapi.introduction import DESCRIPTION

SPECTACULAR_SETTINGS = {
    "TITLE": "novitai",
    "DESCRIPTION": DESCRIPTION,
    "VERSION": VERSION,
    # The repository holds no licence.
    "LICENSE": {"name": "All rights reserved", "identifier": "LicenseRef-All-Rights-Reserved"},
    "SERVERS": [{"url": "/", "description": "The service that this document comes from."}],
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "InstanceStatus": "instances.domain.enums.InstanceStatus",
        "BillingMode": "instances.domain.enums.BillingMode",
        "FailureCode": "instances.domain.enums.FailureCode",
        "StatusReason": "instances.domain.enums.StatusReason",
        "OnStartFailure": "instances.domain.enums.OnStartFailure",
        "JobStatus": "jobs.models.JobStatus",
        "JobPriority": "jobs.models.JobPriority",
        "WebhookEventType": "webhooks.event_types.names",
        "WebhookSignature": ["v1", "v1a"],
        "WebhookBacklogPolicy": ["all", "latest"],
        "DeliveryStatus": "webhooks.models.DeliveryStatus",
        "ReplayStatus": "webhooks.models.ReplayStatus",
        "UpOrDown": ["up", "down"],
        "HealthStatus": ["healthy", "unhealthy"],
        "ReadinessStatus": ["ready", "not ready"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "novitai.openapi.hooks.complete",
    ],
}
