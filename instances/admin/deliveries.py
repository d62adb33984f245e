"""Admin page of webhook deliveries: status, attempts and last error of each."""

from django.contrib import admin
from django.utils.safestring import SafeString

from core.admin_base import ReadOnlyAdmin
from instances.models import WebhookDelivery
from jobs.display import pretty_json


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """Rows of the outbox. To send a failed message again, retry its ``send_webhook`` job."""

    list_display = (
        "public_id", "status", "instance", "attempts", "last_status_code", "last_error",
        "created_at",
    )  # fmt: skip
    list_filter = ("status",)
    list_select_related = ("instance",)
    search_fields = ("public_id__exact", "instance__public_id__exact")
    fields = (
        "public_id", "status", "instance", "attempts", "last_status_code", "last_error",
        "created_at", "ended_at", "pretty_payload",
    )  # fmt: skip

    @admin.display(description="payload")
    def pretty_payload(self, delivery: WebhookDelivery) -> SafeString:
        return pretty_json(delivery.payload)
