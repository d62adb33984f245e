"""Admin page of an instance: request, cost, placement, events, terminations, jobs, webhooks."""

from collections.abc import Iterable

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.admin_base import ReadOnlyInline, WordFilter
from core.clock import database_now
from instances.admin.controls import ControlledAdmin
from instances.domain.enums import CreateStep, FailureCode
from instances.domain.money import usd_text
from instances.lifecycle import spend_rate
from instances.lifecycle.charges import cost_so_far_e5_usd
from instances.models import Instance, InstanceEvent, UpstreamEnding
from jobs.display import pretty_json
from jobs.models import Job
from jobs.redaction import redact_url

JOBS_SHOWN = 50


class EventInline(ReadOnlyInline):
    """Events of the instance, in order."""

    model = InstanceEvent
    show_change_link = False
    fields = ("sequence", "type", "occurred_at", "actor", "cause", "job_id", "request_id")
    readonly_fields = fields
    ordering = ("sequence",)


class EndingInline(ReadOnlyInline):
    """Terminations of the instance's GPUs, open and confirmed."""

    model = UpstreamEnding
    fields = ("upstream_id", "reason", "created_at", "looks", "confirmed_at", "last_error")
    readonly_fields = fields
    ordering = ("id",)


class RegionFilter(WordFilter):
    """Filter by region; offers the configured REGIONS."""

    title = parameter_name = "region"

    def words(self) -> Iterable[str]:
        return settings.CONFIG.regions


class FailureFilter(WordFilter):
    """Filter by error code."""

    title = "error code"
    parameter_name = "error_code"

    def words(self) -> Iterable[str]:
        return FailureCode.values


class GpuFilter(admin.SimpleListFilter):
    """Filter by the state of the GPU at Novita, independent of the status."""

    title = "GPU at Novita"
    parameter_name = "novita"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [
            ("held", "holds a GPU"),
            ("charged", "charged now"),
            ("doubt", "create unconfirmed"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Instance]) -> QuerySet[Instance]:
        match self.value():
            case "held":
                return queryset.filter(upstream_gone_at=None).exclude(upstream_id="")
            case "charged":
                return queryset.filter(spend_rate.CHARGED)
            case "doubt":
                return queryset.filter(create_step__in=[CreateStep.POST, CreateStep.LOOK_UP])
            case _:
                return queryset


@admin.register(Instance)
class InstanceAdmin(ControlledAdmin):
    """Instances, changed only by services. Env values and secrets are not shown."""

    list_display = (
        "public_id", "name", "status", "why", "hourly", "project", "created_at", "expires_at",
        "product_name", "region",
    )  # fmt: skip
    list_filter = ("status", GpuFilter, RegionFilter, "billing_mode", FailureFilter)
    list_select_related = ("project",)
    search_fields = ("public_id__exact", "name__exact", "upstream_id__exact", "made_by__exact")
    search_help_text = "Instance id, name, id at Novita, or key:ID of the API key (exact)."
    inlines = (EventInline, EndingInline)
    fieldsets = (
        (None, {"fields": (
            "public_id", "project", "status", "status_changed_at", "reason_code",
            "reason_message", "trouble_code", "trouble_message", "trouble_since", "wait_code",
            "wait_message", "waiting_since", "action",
            "action_accepted_at",
        )}),
        ("Failure", {"fields": ("error_code", "error_message")}),
        ("Cost", {"fields": (
            "hourly", "cost", "billing_since", "price", "price_cap", "max_runtime_minutes",
            "expires_at", "expiry_warned_at",
        )}),
        ("Request", {"fields": (
            "name", "product_name", "template_id", "gpu_num", "rootfs_size_gb", "region",
            "billing_mode", "on_start_failure", "webhook", "made_by",
        )}),
        ("Times", {"fields": (
            "created_at", "start_deadline_at", "started_at", "ready_at", "ended_at",
        )}),
        ("Creation", {"fields": (
            "create_step", "reference", "upstream_name", "posted_at", "lookup_count",
            "last_lookup_at",
        )}),
        ("Placement", {"fields": (
            "product_id", "cluster_id", "pretty_placement", "pretty_refused_offers",
        )}),
        ("Novita", {"fields": (
            "upstream_account", "upstream_id", "upstream_status", "upstream_changed_at",
            "upstream_seen_at", "absence_seen_at", "upstream_gone_at", "spot_reclaim_at",
        )}),
        ("Jobs", {"fields": ("jobs",)}),
    )  # fmt: skip

    class Media:
        css = {"all": ["jobs/console.css"]}

    @admin.display(description="reason")
    def why(self, instance: Instance) -> str:
        return (
            instance.trouble_code
            or instance.reason_code
            or instance.error_code
            or instance.wait_code
            or "-"
        )

    @admin.display(description="USD/h now")
    def hourly(self, instance: Instance) -> str:
        return spend_rate.of(instance).text if spend_rate.is_charged(instance) else "-"

    @admin.display(description="cost so far")
    def cost(self, instance: Instance) -> str:
        return f"{usd_text(cost_so_far_e5_usd(instance, database_now()))} USD"

    @admin.display(description="price per GPU-hour")
    def price(self, instance: Instance) -> str:
        return _usd(instance.price_e5_usd)

    @admin.display(description="price cap an hour, all GPUs")
    def price_cap(self, instance: Instance) -> str:
        return _usd(instance.max_price_per_hour_e5_usd)

    @admin.display(description="webhook URL")
    def webhook(self, instance: Instance) -> str:
        return redact_url(instance.webhook_url) or "-"

    @admin.display(description="placement")
    def pretty_placement(self, instance: Instance) -> SafeString:
        return pretty_json(instance.placement)

    @admin.display(description="refused offers")
    def pretty_refused_offers(self, instance: Instance) -> SafeString:
        return pretty_json(instance.refused_offers)

    @admin.display(description="latest first")
    def jobs(self, instance: Instance) -> SafeString:
        """Jobs are found by their subject: the app ``jobs`` has no foreign key to instances."""
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


def _usd(amount_e5_usd: int | None) -> str:
    return "-" if amount_e5_usd is None else f"{usd_text(amount_e5_usd)} USD"
