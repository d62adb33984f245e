"""Admin page of jobs: status, errors, and the buttons Retry and Cancel."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from core.admin_base import ReadOnlyAdmin, WordFilter
from jobs import control
from jobs.admin.permissions import actor_of, may_change
from jobs.control import Swept
from jobs.display import error_history, pretty_json
from jobs.errors import JobError, UnknownJobType
from jobs.handler import all_types, get_type
from jobs.models import Job, JobStatus

# Refusals that are shown in full after an action on many rows.
TOLD_REFUSALS = 3


class JobTypeFilter(WordFilter):
    """Filter by job type; offers the registered types."""

    title = parameter_name = "type"

    def words(self) -> Iterable[str]:
        return sorted(str(job_type.name) for job_type in all_types())


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """The rows of the queue. The buttons call ``jobs.control``."""

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
    # "__exact" and not the prefix "=", which means iexact and cannot use the index.
    search_fields = ("public_id__exact", "subject__exact")
    search_help_text = "Job id or instance id (exact)."
    list_select_related = ("project",)
    actions = ("retry_selected", "cancel_selected")
    change_form_template = "admin/jobs/job/change_form.html"
    fieldsets = (
        (None, {"fields": ("public_id", "type", "status", "priority", "subject", "project")}),
        ("Attempts", {"fields": (("attempts", "max_attempts"), "error", "history")}),
        ("Times", {"fields": ("created_at", "run_at", "processed_at", "completed_at")}),
        ("Work", {"fields": ("pretty_payload", "dedupe_key", "rerun", "request_id")}),
        ("Lease", {"fields": ("worker", "lease_expires_at", "is_suspect")}),
    )

    class Media:
        css = {"all": ["jobs/console.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """Lists do not load the error history, the largest column of a row."""
        return super().get_queryset(request).defer("errors")

    def get_urls(self) -> list[URLPattern]:
        retry = self.admin_site.admin_view(require_POST(self.retry))
        cancel = self.admin_site.admin_view(require_POST(self.cancel))
        return [
            path("<int:pk>/retry/", retry, name="jobs_job_retry"),
            path("<int:pk>/cancel/", cancel, name="jobs_job_cancel"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show only the buttons whose action is possible."""
        job = self.get_object(request, object_id or "") if may_change(request) else None
        context = {
            **(extra_context or {}),
            "can_retry": job is not None and control.can_redrive(job),
            "can_cancel": job is not None and control.can_cancel(job),
            "why_no_retry": _why_no_retry(job) if job is not None else "",
        }
        return super().changeform_view(request, object_id, form_url, context)

    def retry(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        return self._act(request, pk, control.redrive, "will run again")

    def cancel(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        return self._act(request, pk, control.cancel, "is cancelled")

    def _act(
        self, request: HttpRequest, pk: int, verb: Callable[..., Job], done: str
    ) -> HttpResponseBase:
        """Run the action of a button on a job's page; ``done``: words for its success."""
        job = get_object_or_404(Job, pk=pk)
        if not may_change(request):
            messages.error(
                request,
                "You may view jobs but not change them. Ask a superuser for the permission.",
            )
        else:
            try:
                verb(job, actor=actor_of(request))
            except JobError as error:
                messages.error(request, str(error))
            else:
                messages.success(request, f"{job} {done}.")
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[pk]))

    @admin.action(description="Retry selected failed jobs", permissions=["control"])
    def retry_selected(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        _tell(request, control.redrive_matching(rows, actor=actor_of(request)), "will run again")

    @admin.action(description="Cancel selected live jobs", permissions=["control"])
    def cancel_selected(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        _tell(request, control.cancel_matching(rows, actor=actor_of(request)), "were cancelled")

    def has_control_permission(self, request: HttpRequest) -> bool:
        return may_change(request)

    @admin.display(description="error")
    def short_error(self, job: Job) -> str:
        return job.error[:100]

    @admin.display(description="payload")
    def pretty_payload(self, job: Job) -> SafeString:
        return pretty_json(job.payload)

    @admin.display(description="errors, latest first")
    def history(self, job: Job) -> SafeString:
        return error_history(job.errors)


def _why_no_retry(job: Job) -> str:
    """Why a failed job cannot be retried and what to do instead; "" if it can, or did not fail."""
    if job.status != JobStatus.FAILED or control.can_redrive(job):
        return ""
    try:
        return get_type(job.type).handler.instead_of_redrive
    except UnknownJobType:
        return "This release does not know the type of this job."


def _tell(request: HttpRequest, swept: Swept, done: str) -> None:
    """One message for all rows, and the first TOLD_REFUSALS refusals in full."""
    level = messages.SUCCESS if swept.count else messages.WARNING
    more = " There are more matching jobs: repeat the action." if swept.is_capped else ""
    messages.add_message(request, level, f"{swept.count} jobs {done}.{more}")
    if swept.refused:
        first = " ".join(swept.refused[:TOLD_REFUSALS])
        others = len(swept.refused) - TOLD_REFUSALS
        rest = f" And {others} more." if others > 0 else ""
        messages.warning(request, f"{len(swept.refused)} jobs were refused: {first}{rest}")
