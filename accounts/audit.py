"""Who did what: one row for each verb, whether it came by the admin, the API or a command.

Called in the transaction of the verb. What the service does by itself is not written here: an
instance's events tell of it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db.models.functions import Now

from accounts.models import AuditEntry, Project

SERVICE = "worker"
BITE_ROWS = 2_000


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
    """Write down a verb. ``before`` and ``after`` hold what it changed, and no secret.

    The request's id and the caller's address come from the context that the log lines have too.
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
    """Delete entries older than AUDIT_KEEP_DAYS, a bite at a time."""
    kept = timedelta(days=settings.CONFIG.audit_keep_days)
    old = AuditEntry.objects.filter(at__lt=Now() - kept).order_by("at")
    AuditEntry.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:BITE_ROWS])).delete()
