"""Admin page of worker processes, from their heartbeats."""

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.admin_base import ReadOnlyAdmin
from jobs import stats
from jobs.models import Worker

SHOWN_IN_LIST = 3


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """A process that died is shown as lost for an hour; others take over its jobs in seconds."""

    list_display = (
        "process",
        "is_there",
        "cluster",
        "started_at",
        "last_seen_at",
        "in_flight",
        "runs",
    )
    fields = (
        "name",
        "is_there",
        "cluster",
        "host",
        "pid",
        "started_at",
        "last_seen_at",
        "in_flight",
        "runs_in_full",
    )

    class Media:
        css = {"all": ["jobs/console.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        """Adds ``silence``: the time since the last heartbeat, by database time."""
        rows: QuerySet[Worker] = super().get_queryset(request)
        return rows.annotate(silence=Now() - F("last_seen_at"))

    @admin.display(description="process", ordering="name")
    def process(self, worker: Worker) -> str:
        return f"{worker.host}:{worker.pid}"

    @admin.display(description="state")
    def is_there(self, worker: Any) -> SafeString:
        if worker.silence < stats.WORKER_SILENCE:
            return format_html('<span class="jobs-state">{}</span>', "alive")
        seconds = int(worker.silence.total_seconds())
        return format_html('<span class="jobs-state is-bad">lost for {} s</span>', seconds)

    @admin.display(description="runs")
    def runs(self, worker: Worker) -> str:
        told = [f"{run['type']} {run['seconds']:.0f} s" for run in worker.running[:SHOWN_IN_LIST]]
        others = worker.in_flight - len(told)
        return ", ".join(told) + (f" and {others} more" if told and others > 0 else "") or "-"

    @admin.display(description="longest running")
    def runs_in_full(self, worker: Worker) -> SafeString:
        """Links to a search, not to a job's page: the job may have been pruned since."""
        jobs = reverse("admin:jobs_job_changelist")
        rows = [
            (f"{jobs}?q={run['job']}", run["job"], run["type"], f"{run['seconds']:.0f} s")
            for run in worker.running
        ]
        if not rows:
            return format_html("{}", "-")
        row = '<tr><td><a href="{}">{}</a></td><td>{}</td><td class="jobs-number">{}</td></tr>'
        return format_html("<table>{}</table>", format_html_join("", row, rows))
