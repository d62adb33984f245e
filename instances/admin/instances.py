"""One page that tells an instance's story: wish, place, events, jobs, messages."""

from collections.abc import Iterable

from django.conf import settings
from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.admin_base import ReadOnlyAdmin, ReadOnlyInline, WordFilter
from instances.choices import FailureCode
from instances.models import Instance, InstanceEvent, WebhookDelivery
from instances.money import usd_text
from jobs.display import pretty_json
from jobs.models import Job
from jobs.redaction import redact_url

JOBS_SHOWN = 50


class EventInline(ReadOnlyInline):
    """What happened, in order."""

    model = InstanceEvent
    show_change_link = False
    fields = ("sequence", "type", "occurred_at", "actor", "cause", "job_id", "request_id")
    readonly_fields = fields
    ordering = ("sequence",)


class DeliveryInline(ReadOnlyInline):
    """What its receiver was told."""

    model = WebhookDelivery
    fields = ("public_id", "status", "attempts", "last_status_code", "last_error", "created_at")
    readonly_fields = fields
    ordering = ("id",)


class RegionFilter(WordFilter):
    """By what is configured."""

    title = parameter_name = "region"

    def words(self) -> Iterable[str]:
        return settings.CONFIG.regions


class FailureFilter(WordFilter):
    """By why it failed."""

    title = "error code"
    parameter_name = "error_code"

    def words(self) -> Iterable[str]:
        return FailureCode.values


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin):
    """Rows are the services'; env values and signing secrets are nowhere in here."""

    list_display = (
        "public_id", "name", "status", "product_name", "region", "price", "project",
        "created_at", "ready_at", "error_code",
    )  # fmt: skip
    list_filter = ("status", RegionFilter, "billing_mode", FailureFilter)
    list_select_related = ("project",)
    search_fields = ("public_id__exact", "name__exact", "upstream_id__exact")
    search_help_text = "An instance's id, its name, or its id at Novita."
    inlines = (EventInline, DeliveryInline)
    fieldsets = (
        (None, {"fields": ("public_id", "project", "status", "status_changed_at")}),
        ("Why it failed", {"fields": ("error_code", "error_message")}),
        ("Wish", {"fields": (
            "name", "product_name", "template_id", "gpu_num", "rootfs_size_gb", "region",
            "billing_mode", "webhook",
        )}),
        ("Times", {"fields": (
            "created_at", "start_deadline_at", "started_at", "ready_at", "ended_at",
        )}),
        ("Creation", {"fields": (
            "create_step", "reference", "upstream_name", "posted_at", "lookup_count",
            "last_lookup_at",
        )}),
        ("Place", {"fields": ("price", "product_id", "cluster_id", "pretty_placement")}),
        ("Novita", {"fields": (
            "upstream_account", "upstream_id", "upstream_status", "upstream_seen_at",
        )}),
        ("Jobs", {"fields": ("jobs",)}),
    )  # fmt: skip

    @admin.display(description="price per GPU-hour")
    def price(self, instance: Instance) -> str:
        if instance.price_e5_usd is None:
            return "-"
        return f"{usd_text(instance.price_e5_usd)} USD"

    @admin.display(description="webhook URL")
    def webhook(self, instance: Instance) -> str:
        return redact_url(instance.webhook_url) or "-"

    @admin.display(description="placement")
    def pretty_placement(self, instance: Instance) -> SafeString:
        return pretty_json(instance.placement)

    @admin.display(description="latest first")
    def jobs(self, instance: Instance) -> SafeString:
        """By subject, not by foreign key: jobs do not know what an instance is."""
        rows = Job.objects.filter(subject=instance.public_id).order_by("-id")[:JOBS_SHOWN]
        cells = (
            (
                reverse("admin:jobs_job_change", args=[job.pk]),
                job.type,
                job.status,
                job.attempts,
                job.error[:100],
            )
            for job in rows.defer("errors", "payload")
        )
        row = '<tr><td><a href="{}">{}</a></td><td>{}</td><td>{}</td><td>{}</td></tr>'
        head = "<tr><th>job</th><th>status</th><th>attempts</th><th>error</th></tr>"
        return format_html(f"<table>{head}{{}}</table>", format_html_join("", row, cells))
