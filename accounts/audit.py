"""The audit: one row for each action of a person or program, by admin, API or command.

``record`` is called in the transaction of the action. Actions of the service itself are not in the
audit; the events of the instance record them.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db.models.functions import Now

from accounts.models import AuditEntry, Project

SERVICE = "worker"
BATCH_ROWS = 2_000


def record(
    verb: str,
    *,
    actor: str,
    subject: str,
    project: Project | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Write an audit entry. ``before`` and ``after``: the changed values, without secrets.

    Request id and client address are taken from structlog's context variables.
    """
    if actor.split(":", 1)[0] == SERVICE:
        return
    context = structlog.contextvars.get_contextvars()
    AuditEntry.objects.create(
        verb=verb,
        actor=actor[:160],
        subject=subject[:100],
        project=project,
        before=dict(before or {}),
        after=dict(after or {}),
        reason=reason[:300],
        request_id=str(context.get("request_id", ""))[:100],
        address=str(context.get("address", ""))[:45],
    )


def forget_old() -> None:
    """Delete entries older than AUDIT_KEEP_DAYS, at most BATCH_ROWS in one call."""
    kept = timedelta(days=settings.CONFIG.audit_keep_days)
    old = AuditEntry.objects.filter(at__lt=Now() - kept).order_by("at")
    AuditEntry.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:BATCH_ROWS])).delete()
