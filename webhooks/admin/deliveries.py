"""Admin page of deliveries: their attempts, send now or again, cancel."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from core.admin_base import ReadOnlyInline
from jobs.display import pretty_json
from webhooks import lanes
from webhooks.admin.buttons import ButtonsAdmin, actor_of, may_change
from webhooks.errors import WebhookError
from webhooks.models import Attempt, Delivery
from webhooks.services import sending

# Most deliveries of an action on matching rows.
MOST_AT_ONCE = 500


class AttemptInline(ReadOnlyInline):
    """Requests to the receiver, newest first."""

    model = Attempt
    fields = (
        *("number", "started_at", "duration_ms", "status_code"),
        *("error", "shown_answer", "address"),
    )
    readonly_fields = fields
    show_change_link = False
    ordering = ("-id",)

    @admin.display(description="answer")
    def shown_answer(self, attempt: Attempt) -> str:
        return str(attempt.answer)


@admin.register(Delivery)
class DeliveryAdmin(ButtonsAdmin):
    """Messages for endpoints. The list is searched by ids and by instance."""

    list_display = (
        *("public_id", "type", "status", "receiver", "attempts", "last_status_code"),
        *("last_error", "next_attempt_at", "subject", "created_at"),
    )
    list_filter = ("status", "is_replay")
    search_fields = (
        *("public_id__exact", "subject__exact", "message__public_id__exact"),
        "endpoint__public_id__exact",
    )
    search_help_text = "Delivery, message, endpoint or instance id (exact)."
    list_select_related = ("endpoint",)
    actions = ("send_selected",)
    change_form_template = "admin/webhooks/delivery/change_form.html"
    inlines = (AttemptInline,)
    verbs = ("redeliver", "cancel")
    fields = (
        *("public_id", "type", "status", "behind", "endpoint", "subject", "attempts"),
        *("next_attempt_at", "last_status_code", "last_error", "created_at", "ended_at"),
        *("is_replay", "replay", "pretty_message"),
    )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show only the buttons whose action is possible."""
        found = self.get_object(request, object_id or "") if may_change(request) else None
        can_send = found is not None and found.endpoint.is_enabled
        context = {
            **(extra_context or {}),
            "can_send": can_send,
            "can_cancel": found is not None and found.status == "pending",
        }
        return super().changeform_view(request, object_id, form_url, context)

    @admin.display(description="receiver")
    def receiver(self, delivery: Delivery) -> str:
        return delivery.endpoint.origin

    @admin.display(description="waits for")
    def behind(self, delivery: Delivery) -> str:
        if delivery.status != "pending":
            return "nothing"
        first = lanes.Lane.of(delivery).pending().first()
        if first is None or first.pk == delivery.pk:
            return "its next attempt"
        return f"the earlier message {first.public_id}"

    @admin.display(description="message")
    def pretty_message(self, delivery: Delivery) -> SafeString:
        return pretty_json(json.loads(delivery.message.body))

    def redeliver(self, request: HttpRequest, row: Any) -> str:
        sending.redeliver(row, actor=actor_of(request))
        return "It is being sent."

    def cancel(self, request: HttpRequest, row: Any) -> str:
        sending.cancel(row, actor=actor_of(request))
        return "It is not sent; it can be sent again later."

    @admin.action(description="Send now or again", permissions=["control"])
    def send_selected(self, request: HttpRequest, rows: QuerySet[Delivery]) -> None:
        """Oldest first."""
        chosen = list(
            rows.select_related("endpoint__project").order_by("message_id")[: MOST_AT_ONCE + 1]
        )
        refused = []
        for delivery in chosen[:MOST_AT_ONCE]:
            try:
                sending.redeliver(delivery, actor=actor_of(request))
            except WebhookError as error:
                refused.append(str(error))
        more = " There are more: repeat the action." if len(chosen) > MOST_AT_ONCE else ""
        count = min(len(chosen), MOST_AT_ONCE) - len(refused)
        messages.info(request, f"{count} messages are being sent.{more}")
        if refused:
            messages.warning(request, f"{len(refused)} were refused: {' '.join(refused[:3])}")
