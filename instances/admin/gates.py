"""Admin page of the call budget and the circuit breaker of each account at Novita."""

from django.contrib import admin

from core.admin_base import ReadOnlyAdmin
from instances.models import UpstreamGate


@admin.register(UpstreamGate)
class UpstreamGateAdmin(ReadOnlyAdmin):
    """State of an account at Novita: hold, failures, breaker, last success."""

    list_display = (
        "account", "hold", "hold_since", "hold_message", "failures_in_a_row",
        "opened_until", "paused_until", "last_success_at", "last_failure_at", "last_error",
    )  # fmt: skip
