"""Admin pages of reconciliation: passes, findings, orphans, and the installation."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.admin_base import ReadOnlyAdmin
from instances.domain.money import usd_text
from instances.models import Installation, OpenFinding, Orphan, ReconcileRun
from instances.novita import installation


@admin.register(Orphan)
class OrphanAdmin(ReadOnlyAdmin):
    """GPUs with this installation's signature that belong to no instance (see ORPHAN_POLICY)."""

    list_display = (
        "upstream_id", "state", "upstream_name", "upstream_status", "product_name", "per_hour",
        "first_seen_at", "last_seen_at", "instance",
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("instance",)
    search_fields = ("upstream_id__exact", "upstream_name__exact")

    @admin.display(description="per hour")
    def per_hour(self, orphan: Orphan) -> str:
        if orphan.price_e5_usd is None:
            return "unknown"
        return f"{usd_text(orphan.price_e5_usd * orphan.gpu_num)} USD"


@admin.register(OpenFinding)
class OpenFindingAdmin(ReadOnlyAdmin):
    """Findings that are still true in the latest pass, with the time at which they began."""

    list_display = ("kind", "upstream_id", "instance_id", "text", "began_at", "changed_at")
    list_filter = ("kind",)
    search_fields = ("upstream_id__exact", "instance_id__exact")


class FoundFilter(admin.SimpleListFilter):
    """Filter for passes with findings, since most passes have none."""

    title = "findings"
    parameter_name = "found"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("some", "with findings"), ("held", "with an action held back")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReconcileRun]
    ) -> QuerySet[ReconcileRun]:
        if self.value() == "some":
            return queryset.exclude(findings=[])
        return queryset.exclude(note="") if self.value() == "held" else queryset


@admin.register(ReconcileRun)
class ReconcileRunAdmin(ReadOnlyAdmin):
    """The last thousand passes of reconciliation."""

    list_display = (
        "ran_at", "found", "listed", "ours", "foreign", "held", "missing", "vanished",
        "is_complete", "calls", "note",
    )  # fmt: skip
    list_filter = (FoundFilter,)
    fields = (
        "ran_at", "account", "note", "table", "listed", "ours", "foreign", "held", "missing",
        "vanished", "is_complete", "calls",
    )  # fmt: skip

    @admin.display(description="found")
    def found(self, run: ReconcileRun) -> int:
        return len(run.findings)

    @admin.display(description="findings")
    def table(self, run: ReconcileRun) -> SafeString:
        rows = (
            (item["kind"], item["upstreamId"], item["instance"], item["text"])
            for item in run.findings
        )
        row = "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"
        head = "<tr><th>kind</th><th>at Novita</th><th>instance</th><th>what</th></tr>"
        if not run.findings:
            return format_html("{}", "nothing")
        return format_html(f"<table>{head}{{}}</table>", format_html_join("", row, rows))


@admin.register(Installation)
class InstallationAdmin(ReadOnlyAdmin):
    """The identity of this installation at Novita. The signing key is never shown."""

    list_display = ("installation_id", "acts", "braked_at", "brake_reason", "created_at")
    fields = (
        "installation_id", "acts", "created_at", "braked_at", "brake_reason", "brake_off_until",
    )  # fmt: skip

    @admin.display(description="may act at Novita", boolean=True)
    def acts(self, row: Installation) -> bool:
        """False if the database was moved or copied, until `manage.py reconcile --accept`."""
        return installation.is_bound_here(row)
