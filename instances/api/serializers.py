"""What callers may send. Shape only: whether a product exists is for the job to find out."""

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.fields import empty

from core.request_bodies import StrictSerializer
from core.request_fields import IntegerField, OneOfField, TextField, WebhookUrlField
from instances.api.fields import TemplateIdField, UsdPriceField
from instances.api.tag_fields import MergedTagsField, TagsField
from instances.domain.enums import BillingMode, OnStartFailure
from instances.domain.types import DEFAULT_ROOTFS_GB, InstancePatch, InstanceRequest

MINUTES_OF_A_YEAR = 366 * 24 * 60
NAME_PATTERN = re.compile(r"[a-zA-Z0-9_-]+")


class ReadinessProbe(StrictSerializer):
    """One request to a port of the instance, or one connection."""

    type = OneOfField(label="Type", choices=lambda: ("http", "tcp"))
    port = IntegerField(
        label="Port",
        min_value=1,
        max_value=65535,
        help_text="of the instance; its template must publish it, except for 22 (SSH)",
    )
    path = TextField(
        label="Path",
        max_length=1024,
        pattern=re.compile(r"/[!-~]*"),
        required=False,
        help_text="http only; / if absent",
        error_messages={"pattern": "Path must begin with / and hold visible ASCII characters only"},
    )
    expectedStatus = IntegerField(
        label="Expected status",
        min_value=100,
        max_value=599,
        required=False,
        help_text="http only; 200 if absent. Redirects are not followed.",
    )
    timeoutSeconds = IntegerField(
        label="Timeout", min_value=1, max_value=10, unit="seconds", default=5
    )

    def run_validation(self, data: Any = empty) -> Any:
        if data is not empty and not isinstance(data, Mapping):
            raise serializers.ValidationError("Readiness probe must be an object")
        return serializers.Serializer.run_validation(self, data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Nobody should believe that a connection looks at a path."""
        if attrs["type"] == "http":
            return {"path": "/", "expectedStatus": 200, **attrs}
        wrong = [name for name in ("path", "expectedStatus") if name in attrs]
        if wrong:
            raise serializers.ValidationError({name: ["Only for type http"] for name in wrong})
        return attrs


def name_field(*, required: bool) -> TextField:
    """An instance's name, in the request for it and in its changes."""
    return TextField(
        label="Name",
        max_length=100,
        pattern=NAME_PATTERN,
        help_text="Yours; names may repeat.",
        required=required,
        error_messages={
            "pattern": "Name must contain only alphanumeric characters, hyphens, and underscores"
        },
    )


def runtime_field(**options: Any) -> IntegerField:
    """How long an instance may live, likewise."""
    return IntegerField(
        label="Max runtime",
        source="max_runtime_minutes",
        min_value=1,
        max_value=MINUTES_OF_A_YEAR,
        unit="minutes",
        required=False,
        help_text="Terminated so long after Novita's first charged second (the pull of the image), "
        "stopped time included, with its disk; an instance.expiring message comes before.",
        **options,
    )


class CreateInstance(StrictSerializer):
    """The request for an instance."""

    name = name_field(required=True)
    productName = TextField(
        label="Product name",
        source="product_name",
        max_length=200,
        help_text="As Novita calls it; case and repeated spaces do not matter.",
    )
    templateId = TemplateIdField(
        label="Template ID", source="template_id", help_text="What to run: text or number."
    )
    gpuNum = IntegerField(
        label="GPU number",
        source="gpu_num",
        min_value=1,
        max_value=8,
        default=1,
        help_text="GPUs in one instance.",
    )
    rootfsSize = IntegerField(
        label="Root filesystem size",
        source="rootfs_size_gb",
        min_value=20,
        max_value=1000,
        unit="GB",
        required=False,
        help_text="GB; without it 60, or what the template asks for if that is more.",
    )
    region = OneOfField(
        label="Region",
        choices=lambda: settings.CONFIG.regions,
        default=lambda: settings.CONFIG.default_region,
        help_text="Never left for another one; CN-HK-01 if not configured otherwise.",
    )
    billingMode = OneOfField(
        label="Billing mode",
        source="billing_mode",
        choices=lambda: BillingMode.values,
        default=BillingMode.SPOT.value,
        help_text="Spot costs about half and may be taken back by Novita, after a notice.",
    )
    webhookUrl = WebhookUrlField(
        label="Webhook URL",
        source="webhook_url",
        required=False,
        help_text="Gets a signed message on every change of status.",
    )
    maxPricePerHourUsd = UsdPriceField(
        label="Max price per hour",
        source="max_price_per_hour_e5_usd",
        required=False,
        help_text="All GPUs together; never created above it, checked again right before.",
    )
    maxRuntimeMinutes = runtime_field()
    readinessProbe = ReadinessProbe(
        source="readiness_probe",
        required=False,
        help_text="Novita's `running` is not yet usable: with a probe the instance is running, and "
        "its webhook sent, only when the probe has passed; before its start deadline.",
    )
    onStartFailure = OneOfField(
        label="On start failure",
        source="on_start_failure",
        choices=lambda: OnStartFailure.values,
        default=OnStartFailure.TERMINATE.value,
        help_text="What becomes of the GPU if it fails to start; kept, it costs until DELETE.",
    )

    tags = TagsField(label="Tags", default=dict)

    @classmethod
    def spec(cls, data: Any) -> InstanceRequest:
        """The request as the services know it. Raises ValidationError."""
        fields = dict(cls.read(data))
        if "rootfs_size_gb" not in fields:
            fields |= {"rootfs_size_gb": DEFAULT_ROOTFS_GB, "has_default_rootfs": True}
        fields["billing_mode"] = BillingMode(fields["billing_mode"])
        fields["on_start_failure"] = OnStartFailure(fields["on_start_failure"])
        return InstanceRequest(**fields)


class UpdateInstance(StrictSerializer):
    """A merge patch (RFC 7396): what is not named stays, null takes away what may be missing."""

    null_is_absent = False

    name = name_field(required=False)
    tags = MergedTagsField(label="Tags", required=False, allow_null=True)
    webhookUrl = WebhookUrlField(
        label="Webhook URL",
        source="webhook_url",
        required=False,
        allow_null=True,
        help_text="Messages that still wait go to the new address; with null they end.",
    )
    maxRuntimeMinutes = runtime_field(allow_null=True)

    @classmethod
    def changes(cls, data: Any) -> InstancePatch:
        """The request as the services know it. Raises ValidationError."""
        fields = dict(cls.read(data))
        tags = fields.pop("tags", {})
        if "webhook_url" in fields:
            fields["webhook_url"] = fields["webhook_url"] or ""
        return InstancePatch(fields, tags=tags or {}, clears_tags=tags is None)
