"""Admin page of replays: progress, and the button that stops one."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from webhooks.admin.buttons import ButtonsAdmin, actor_of, may_change
from webhooks.models import Replay
from webhooks.services import replays


@admin.register(Replay)
class ReplayAdmin(ButtonsAdmin):
    """Replays of endpoints."""

    list_display = (
        *("public_id", "status", "endpoint", "since", "until", "queued", "made_by"),
        "created_at",
    )
    list_filter = ("status",)
    search_fields = ("public_id__exact", "endpoint__public_id__exact")
    list_select_related = ("endpoint",)
    change_form_template = "admin/webhooks/replay/change_form.html"
    verbs = ("stop",)
    fields = (
        *("public_id", "status", "endpoint", "since", "until", "types", "subject"),
        *("only_failed", "queued", "progress", "made_by", "created_at", "ended_at"),
    )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the button only while the replay runs."""
        found = self.get_object(request, object_id or "") if may_change(request) else None
        can_stop = found is not None and found.status == "running"
        context = {**(extra_context or {}), "can_stop": can_stop}
        return super().changeform_view(request, object_id, form_url, context)

    @admin.display(description="progress")
    def progress(self, replay: Replay) -> str:
        counted = replays.counts(replay)
        return ", ".join(f"{number} {status}" for status, number in sorted(counted.items())) or "-"

    def stop(self, request: HttpRequest, row: Any) -> str:
        replays.cancel(row, actor=actor_of(request))
        return "Stopped; what it had queued is not sent."
