"""Jobs for operators: what failed, why, and the button."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from django_q.models import Failure, OrmQ, Schedule, Success

from accounts.admin_base import ReadOnlyAdmin, WordFilter
from jobs import queue, registry
from jobs.display import pretty_json
from jobs.errors import JobError
from jobs.models import Job, JobStatus, Worker

# Its rows are not used here (the queue is jobs.Job), and a schedule added there would never run.
for model in (Success, Failure, Schedule, OrmQ):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class JobTypeFilter(WordFilter):
    """By what is registered."""

    title = parameter_name = "type"

    def words(self) -> Iterable[str]:
        return sorted(str(job_type.name) for job_type in registry.all_types())


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Rows are the queue's; "Retry" is ``jobs.queue.redrive``."""

    list_display = (
        "public_id",
        "type",
        "status",
        "attempts",
        "short_error",
        "subject",
        "priority",
        "run_at",
    )
    list_filter = ("status", JobTypeFilter, "priority")
    # Exact, not "=": that compares without case, for which there is no index.
    search_fields = ("public_id__exact", "subject__exact")
    search_help_text = "A job's id, or the id of the instance it is about."
    list_select_related = ("project",)
    actions = ("retry_selected",)
    change_form_template = "admin/jobs/job/change_form.html"
    fieldsets = (
        (None, {"fields": ("public_id", "type", "status", "priority", "subject", "project")}),
        ("Attempts", {"fields": (("attempts", "max_attempts"), "error", "error_history")}),
        ("Times", {"fields": ("created_at", "run_at", "processed_at", "completed_at")}),
        ("Work", {"fields": ("pretty_payload", "dedupe_key", "rerun", "request_id")}),
        ("Lease", {"fields": ("worker", "lease_expires_at", "is_suspect")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """Lists leave the error history alone: it is the bulk of a row."""
        return super().get_queryset(request).defer("errors")

    def get_urls(self) -> list[URLPattern]:
        retry = self.admin_site.admin_view(require_POST(self.retry))
        return [path("<int:pk>/retry/", retry, name="jobs_job_retry"), *super().get_urls()]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        job = self.get_object(request, object_id or "")
        can_retry = job is not None and job.status == JobStatus.FAILED
        context = {**(extra_context or {}), "can_retry": can_retry and may_retry(request)}
        return super().changeform_view(request, object_id, form_url, context)

    def retry(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The button on a job's page."""
        if may_retry(request):
            self._redrive(request, get_object_or_404(Job, pk=pk))
        else:
            messages.error(request, "You may look at jobs, not retry them.")
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[pk]))

    @admin.action(description="Retry selected failed jobs", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        for job in rows:
            self._redrive(request, job)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return may_retry(request)

    def _redrive(self, request: HttpRequest, job: Job) -> None:
        try:
            queue.redrive(job, actor=f"operator:{request.user.get_username()}")
        except JobError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{job} goes again.")

    @admin.display(description="error")
    def short_error(self, job: Job) -> str:
        return job.error[:100]

    @admin.display(description="payload")
    def pretty_payload(self, job: Job) -> SafeString:
        return pretty_json(job.payload)

    @admin.display(description="error history")
    def error_history(self, job: Job) -> SafeString:
        return pretty_json(job.errors)


def may_retry(request: HttpRequest) -> bool:
    """Retrying is a change of the job, so it takes the permission to change jobs."""
    user = request.user
    return bool(user.is_active and user.has_perm("jobs.change_job"))


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Who is working, as the heartbeats tell."""

    list_display = ("name", "host", "pid", "in_flight", "started_at", "last_seen_at")
