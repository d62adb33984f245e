"""Admin page of endpoints: health, pause, test, rotate, send now, replay."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from core.clock import database_now
from webhooks import stats
from webhooks.admin.buttons import actor_of, may_change
from webhooks.admin.replay_by_host import ReplayByHost, ReplayForm
from webhooks.errors import WebhookError
from webhooks.models import Endpoint
from webhooks.services import endpoints, replays, sending
from webhooks.services.endpoints import EndpointSpec
from webhooks.services.replays import Range

# Most endpoints of an action on matching rows.
MOST_ENDPOINTS = 200


class HealthFilter(admin.SimpleListFilter):
    """What an operator looks for first."""

    title = "health"
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("failing", "failing"), ("disabled", "disabled"), ("receiving", "receiving")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "failing":
                return queryset.filter(is_enabled=True, failing_since__isnull=False)
            case "disabled":
                return queryset.filter(is_enabled=False, deleted_at=None)
            case "receiving":
                return queryset.filter(is_enabled=True, failing_since=None)
        return queryset


@admin.register(Endpoint)
class EndpointAdmin(ReplayByHost):
    """Endpoints. The list is searched by id, instance and receiver (scheme and host)."""

    list_display = (
        *("public_id", "origin", "project", "health", "last_error", "last_success_at"),
        *("kind", "subject"),
    )
    list_filter = (HealthFilter, "kind")
    search_fields = ("public_id__exact", "subject__exact", "origin__startswith")
    search_help_text = "Endpoint id, instance id (exact), or how the receiver begins: https://host"
    list_select_related = ("project",)
    actions = ("send_waiting_now", "pause_selected", "resume_selected", "replay_failed_of_a_day")
    change_form_template = "admin/webhooks/endpoint/change_form.html"
    verbs = ("pause", "resume", "test", "send_now")
    fieldsets = (
        (None, {"fields": ("public_id", "project", "kind", "subject", "origin", "description")}),
        (
            "Health",
            {
                "fields": (
                    *("health", "failing_since", "last_error", "last_success_at"),
                    *("last_failure_at", "disabled_at", "disabled_reason", "figures"),
                )
            },
        ),
        (
            "Messages",
            {
                "fields": (
                    *("event_types", "on_backlog", "signature", "payload_version"),
                    *("header_names", "previous_secret_until"),
                )
            },
        ),
        ("Times", {"fields": ("created_at", "made_by", "deleted_at")}),
    )

    def get_urls(self) -> list[URLPattern]:
        rotate = self.admin_site.admin_view(self.rotate_page)
        replay = self.admin_site.admin_view(self.replay_page)
        return [
            path("<int:pk>/rotate/", rotate, name="webhooks_endpoint_rotate"),
            path("<int:pk>/replay/", replay, name="webhooks_endpoint_replay"),
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
        context = {**(extra_context or {}), "may_change": may_change(request)}
        return super().changeform_view(request, object_id, form_url, context)

    @admin.display(description="health")
    def health(self, endpoint: Endpoint) -> str:
        if endpoint.deleted_at is not None:
            return "deleted"
        if not endpoint.is_enabled:
            return "disabled"
        return "failing" if endpoint.failing_since is not None else "receiving"

    @admin.display(description="figures")
    def figures(self, endpoint: Endpoint) -> str:
        waiting = stats.backlog(endpoint)
        periods = [
            f"{each.hours} h: {each.delivered} of {each.attempts} attempts delivered"
            + (f", p50 {each.p50_ms} ms, p95 {each.p95_ms} ms" if each.attempts else "")
            for each in stats.periods(endpoint)
        ]
        oldest = (
            f", oldest from {waiting.oldest_at:%Y-%m-%d %H:%M} UTC" if waiting.oldest_at else ""
        )
        return "; ".join([*periods, f"{waiting.pending} waiting{oldest}"])

    @admin.display(description="headers sent")
    def header_names(self, endpoint: Endpoint) -> str:
        return ", ".join(sorted(endpoint.headers)) or "none"

    def pause(self, request: HttpRequest, row: Any) -> str:
        endpoints.update(row, EndpointSpec({"is_enabled": False}), actor=actor_of(request))
        return "Paused: new events are not kept for it; replay them after resuming."

    def resume(self, request: HttpRequest, row: Any) -> str:
        endpoints.update(row, EndpointSpec({"is_enabled": True}), actor=actor_of(request))
        return "Resumed: what waited is being sent."

    def test(self, request: HttpRequest, row: Any) -> str:
        sent = sending.send_test(row, actor=actor_of(request))
        return f"A test message is being sent: delivery {sent.public_id}."

    def send_now(self, request: HttpRequest, row: Any) -> str:
        count = sending.send_now(row, actor=actor_of(request))
        return f"{count} lanes that waited for a retry are due now."

    def rotate_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A GET shows no secret. A Django message would store it in a cookie."""
        endpoint = self._endpoint(request, pk)
        secret = error = ""
        if request.method == "POST":
            overlap = timedelta(0) if "at_once" in request.POST else timedelta(hours=24)
            try:
                changed = endpoints.rotate_secret(
                    endpoint, overlap=overlap, actor=actor_of(request)
                )
                secret = changed.public_key or str(changed.secret)
            except WebhookError as refused:
                error = str(refused)
        return self._page(request, endpoint, "rotate", secret=secret, error=error)

    def replay_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        endpoint = self._endpoint(request, pk)
        form = ReplayForm(request.POST if request.method == "POST" else None)
        replay, error = None, ""
        if form.is_bound and form.is_valid():
            wanted = Range(form.cleaned_data["since"], only_failed=form.cleaned_data["only_failed"])
            try:
                replay = replays.start(endpoint, wanted, actor=actor_of(request))
            except WebhookError as refused:
                error = str(refused)
        return self._page(request, endpoint, "replay", form=form, replay=replay, error=error)

    def _endpoint(self, request: HttpRequest, pk: int) -> Endpoint:
        if not may_change(request):
            raise PermissionDenied
        return get_object_or_404(Endpoint.objects.existing().select_related("project"), pk=pk)

    def _page(
        self, request: HttpRequest, endpoint: Endpoint, name: str, **shown: Any
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"{endpoint.origin} ({endpoint.public_id})",
            "endpoint": endpoint,
            "back": reverse("admin:webhooks_endpoint_change", args=[endpoint.pk]),
            **shown,
        }
        response = TemplateResponse(request, f"admin/webhooks/endpoint/{name}.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @admin.action(description="Send what waits now", permissions=["control"])
    def send_waiting_now(self, request: HttpRequest, rows: QuerySet[Endpoint]) -> None:
        self._each(request, rows, sending.send_now, "send what waits now")

    @admin.action(description="Pause", permissions=["control"])
    def pause_selected(self, request: HttpRequest, rows: QuerySet[Endpoint]) -> None:
        self._each(request, rows, _disable, "are paused")

    @admin.action(description="Resume", permissions=["control"])
    def resume_selected(self, request: HttpRequest, rows: QuerySet[Endpoint]) -> None:
        self._each(request, rows, _enable, "are resumed")

    @admin.action(description="Replay what failed in the last 24 hours", permissions=["control"])
    def replay_failed_of_a_day(self, request: HttpRequest, rows: QuerySet[Endpoint]) -> None:
        self._each(request, rows, _replay_failed, "replay what failed")

    def _each(self, request: HttpRequest, rows: QuerySet[Endpoint], verb: Any, done: str) -> None:
        chosen = list(rows.existing().select_related("project")[: MOST_ENDPOINTS + 1])  # type: ignore[attr-defined]
        refused: list[str] = []
        for endpoint in chosen[:MOST_ENDPOINTS]:
            try:
                verb(endpoint, actor=actor_of(request))
            except WebhookError as error:
                refused.append(str(error))
        count = min(len(chosen), MOST_ENDPOINTS) - len(refused)
        more = " There are more: repeat the action." if len(chosen) > MOST_ENDPOINTS else ""
        messages.info(request, f"{count} endpoints {done}.{more}")
        if refused:
            messages.warning(request, f"{len(refused)} were refused: {' '.join(refused[:3])}")


def _disable(endpoint: Endpoint, *, actor: str) -> None:
    endpoints.update(endpoint, EndpointSpec({"is_enabled": False}), actor=actor)


def _enable(endpoint: Endpoint, *, actor: str) -> None:
    endpoints.update(endpoint, EndpointSpec({"is_enabled": True}), actor=actor)


def _replay_failed(endpoint: Endpoint, *, actor: str) -> None:
    since = database_now() - timedelta(days=1)
    replays.start(endpoint, Range(since, only_failed=True), actor=actor)
