"""Admin page of job types: counts of each type, and the buttons Pause and Resume."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from core.admin_base import ReadOnlyAdmin
from core.clock import database_now
from jobs import control, stats
from jobs.admin.permissions import actor_of, may_change
from jobs.errors import UnknownJobType
from jobs.handler import all_types
from jobs.models import PausedType
from jobs.stats import Count


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the page."""

    type: str
    paused: PausedType | None
    rows: dict[str, int]
    max_in_flight: int | None
    oldest_due_seconds: int | None


@admin.register(PausedType)
class JobTypesAdmin(ReadOnlyAdmin):
    """One page over all job types; the model itself has rows for paused types only."""

    def get_urls(self) -> list[URLPattern]:
        pause = self.admin_site.admin_view(require_POST(self.pause))
        resume = self.admin_site.admin_view(require_POST(self.resume))
        return [
            path("<str:type_>/pause/", pause, name="jobs_type_pause"),
            path("<str:type_>/resume/", resume, name="jobs_type_resume"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Job types",
            "opts": self.opts,
            "rows": _rows(),
            "may_change": may_change(request),
        }
        return TemplateResponse(request, "admin/jobs/pausedtype/types.html", context)

    def pause(self, request: HttpRequest, type_: str) -> HttpResponseBase:
        reason = request.POST.get("reason", "").replace("\0", "").strip()
        return self._act(
            request, type_, lambda actor: control.pause(type_, actor=actor, reason=reason)
        )

    def resume(self, request: HttpRequest, type_: str) -> HttpResponseBase:
        return self._act(request, type_, lambda actor: control.resume(type_, actor=actor))

    def _act(
        self, request: HttpRequest, type_: str, verb: Callable[[str], object]
    ) -> HttpResponseBase:
        """Pause or resume. The page itself shows a success; only errors get a message."""
        if not may_change(request):
            messages.error(
                request,
                "You may view job types but not pause them. Ask a superuser for the permission.",
            )
        else:
            try:
                verb(actor_of(request))
            except UnknownJobType as error:
                messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:jobs_pausedtype_changelist"))


def _rows() -> list[Row]:
    """All registered types, and types without registration that still have rows or a pause."""
    counts, paused, now = stats.count(), control.paused_types(), database_now()
    caps = {str(kind.name): kind.max_in_flight for kind in all_types()}
    names = sorted({*caps, *paused, *(count.type for count in counts)})
    return [
        _row(
            name,
            [count for count in counts if count.type == name],
            paused.get(name),
            caps.get(name),
            now,
        )
        for name in names
    ]


def _row(
    name: str, counts: list[Count], paused: PausedType | None, cap: int | None, now: datetime
) -> Row:
    due = [count.oldest_due_at for count in counts if count.oldest_due_at is not None]
    return Row(
        type=name,
        paused=paused,
        rows=stats.statuses(counts),
        max_in_flight=cap,
        oldest_due_seconds=int((now - min(due)).total_seconds()) if due else None,
    )
