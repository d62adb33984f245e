"""GPUs that must end at Novita: the open ones cost money."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_base import ReadOnlyAdmin
from instances.models import UpstreamEnding


class OpenFilter(admin.SimpleListFilter):
    """Those whose absence is not proven yet come first to mind."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("open", "still to end"), ("ended", "absence proven")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[UpstreamEnding]
    ) -> QuerySet[UpstreamEnding]:
        if self.value() is None:
            return queryset
        return queryset.filter(confirmed_at__isnull=self.value() == "open")


@admin.register(UpstreamEnding)
class UpstreamEndingAdmin(ReadOnlyAdmin):
    """What is being ended, since when, why, and what Novita last said against it."""

    list_display = (
        "upstream_id", "instance", "reason", "created_at", "absence_seen_at", "confirmed_at",
        "last_error",
    )  # fmt: skip
    list_filter = (OpenFilter,)
    list_select_related = ("instance",)
    search_fields = ("upstream_id__exact", "instance__public_id__exact")
    search_help_text = "An instance's id, or its id at Novita."
