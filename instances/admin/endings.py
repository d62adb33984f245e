"""Admin page of terminations (``UpstreamEnding``): GPUs that must end at Novita."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin_base import ReadOnlyAdmin
from instances.lifecycle import spend_rate
from instances.models import UpstreamEnding

# While Novita answers, no termination takes longer.
LONG = timedelta(minutes=5)


class OpenFilter(admin.SimpleListFilter):
    """Filter by whether the absence of the GPU is proven."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("open", "not ended yet"), ("ended", "ended, absence proven")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[UpstreamEnding]
    ) -> QuerySet[UpstreamEnding]:
        if self.value() is None:
            return queryset
        return queryset.filter(confirmed_at__isnull=self.value() == "open")


@admin.register(UpstreamEnding)
class UpstreamEndingAdmin(ReadOnlyAdmin):
    """Terminations: GPU, age, reason, cost an hour, and Novita's last error."""

    list_display = (
        "upstream_id", "of", "state", "age", "hourly", "upstream_status", "looks",
        "last_error", "wish", "reason",
    )  # fmt: skip
    list_filter = (OpenFilter,)
    list_select_related = ("instance",)
    search_fields = ("upstream_id__exact", "instance__public_id__exact")
    search_help_text = "Instance id or id at Novita (exact)."
    fields = (
        "upstream_id", "account", "project", "instance", "state", "age", "hourly",
        "upstream_status", "wish", "reason", "created_at", "looks", "deletes_accepted",
        "absence_seen_at", "refused_since", "refused_looks", "lists_without", "confirmed_at",
        "last_error",
    )  # fmt: skip

    class Media:
        css = {"all": ["jobs/console.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[UpstreamEnding]:
        """Adds ``taken``: the duration until the confirmation or until now, by database time."""
        rows: QuerySet[UpstreamEnding] = super().get_queryset(request)
        return rows.annotate(taken=Coalesce("confirmed_at", Now()) - F("created_at"))

    @admin.display(description="instance")
    def of(self, ending: UpstreamEnding) -> SafeString:
        instance = ending.instance
        if instance is None:
            return format_html("{}", "-")
        page = reverse("admin:instances_instance_change", args=[instance.pk])
        return format_html('<a href="{}">{}</a>', page, instance.public_id)

    @admin.display(description="state")
    def state(self, ending: Any) -> SafeString:
        if ending.confirmed_at is not None:
            return format_html('<span class="jobs-state">{}</span>', "ended")
        is_long = "is-bad" if ending.taken > LONG else ""
        return format_html('<span class="jobs-state {}">not ended yet</span>', is_long)

    @admin.display(description="age", ordering="created_at")
    def age(self, ending: Any) -> str:
        return str(timedelta(seconds=int(ending.taken.total_seconds())))

    @admin.display(description="USD/h")
    def hourly(self, ending: UpstreamEnding) -> str:
        return "-" if ending.confirmed_at is not None else spend_rate.of_ending(ending).text
