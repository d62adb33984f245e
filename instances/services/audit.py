"""Writes the audit entry of an action on an instance."""

from accounts import audit
from instances.domain.types import Cause
from instances.models import Instance


def audit_verb(verb: str, instance: Instance, cause: Cause, before: str) -> None:
    """``before``: status before the action. Call inside the action's transaction."""
    audit.record(
        verb,
        actor=cause.actor,
        subject=instance.public_id,
        project=instance.project,
        before={"status": before},
        after={"status": instance.status},
        reason=cause.reason,
    )
