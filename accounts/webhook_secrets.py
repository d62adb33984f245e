"""Webhook signing secrets of projects: shown once, and replaced without interruption.

If WEBHOOK_SECRET is configured, it is the secret of the project ``default``, so that a service with
one user needs only its environment; WEBHOOK_SECRET_PREVIOUS also signs while it is replaced.
"""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from pydantic import SecretStr

from accounts import audit
from accounts.models import DEFAULT_PROJECT, Project

logger = structlog.get_logger(__name__)

OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)
_PREFIX = "whsec_"


class SecretRefused(Exception):
    """The action on a secret is not possible; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets that sign a project's messages: the current one and all ``former`` ones."""

    current: str
    former: tuple[str, ...] = ()


def secrets_of(project: Project, now: datetime) -> Secrets:
    """The secrets at that database time; the current one is created at the first use."""
    if (configured := _configured(project)) is not None:
        former = settings.CONFIG.webhook_secret_previous
        return Secrets(_text(configured), (_text(former),) if former is not None else ())
    until = project.previous_webhook_secret_until
    is_former_valid = bool(project.previous_webhook_secret) and until is not None and now < until
    former_ones = (str(project.previous_webhook_secret),) if is_former_valid else ()
    return Secrets(webhook_secret_of(project), former_ones)


def webhook_secret_of(project: Project) -> str:
    """The current secret; created at the first use."""
    if (configured := _configured(project)) is not None:
        return _text(configured)
    if not project.webhook_secret:
        made = _new_secret()
        Project.objects.filter(pk=project.pk, webhook_secret="").update(webhook_secret=made)
        project.refresh_from_db(fields=["webhook_secret"])
    return str(project.webhook_secret)


def show_once(project: Project, *, actor: str) -> str:
    """The current secret; a second call raises SecretRefused."""
    _refuse_configured(project)
    with transaction.atomic():
        unshown = Project.objects.filter(pk=project.pk, webhook_secret_shown_at=None)
        if not unshown.update(webhook_secret_shown_at=Now()):
            raise SecretRefused(
                f"The webhook secret of {project.name} was already shown and cannot be shown again."
                " If it is lost, rotate it to get a new one."
            )
        _record("webhook_secret.show", project, actor)
    return webhook_secret_of(project)


def rotate(project: Project, *, overlap: timedelta, actor: str) -> str:
    """Create and return a new secret. The old one also signs until the overlap is over; with an
    overlap of 0, for a leaked secret, it stops signing at once. Raises SecretRefused.
    """
    _refuse_configured(project)
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise SecretRefused(f"The overlap must be between 0 and {LONGEST_OVERLAP.days} days.")
    webhook_secret_of(project)
    made = _new_secret()
    with transaction.atomic():
        row = Project.objects.select_for_update().annotate(now=Now()).get(pk=project.pk)
        until = row.previous_webhook_secret_until
        if overlap and until is not None and row.now < until:
            raise SecretRefused(
                f"{project.name} has two webhook secrets until {until:%Y-%m-%d %H:%M} UTC, and some"
                " receivers may know only the older one. Wait until then, end that overlap, or"
                " rotate with an overlap of 0."
            )
        row.previous_webhook_secret = str(row.webhook_secret) if overlap else ""
        row.previous_webhook_secret_until = row.now + overlap if overlap else None
        row.webhook_secret, row.webhook_secret_shown_at = made, row.now
        row.save(update_fields=[*_COLUMNS, "webhook_secret", "webhook_secret_shown_at"])
        hours = overlap / timedelta(hours=1)
        _record("webhook_secret.rotate", project, actor, overlap_hours=hours)
    project.refresh_from_db()
    return made


def end_overlap(project: Project, *, actor: str) -> None:
    """Stop signing with the previous secret."""
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(
            previous_webhook_secret="", previous_webhook_secret_until=None
        )
        _record("webhook_secret.end_overlap", project, actor)


_COLUMNS = ("previous_webhook_secret", "previous_webhook_secret_until")


def _record(verb: str, project: Project, actor: str, **after: float) -> None:
    audit.record(verb, actor=actor, subject=project.public_id, project=project, after=after)
    logger.info(verb.replace(".", "_"), project=project.public_id, actor=actor, **after)


def _configured(project: Project) -> SecretStr | None:
    configured: SecretStr | None = settings.CONFIG.webhook_secret
    return configured if project.name == DEFAULT_PROJECT else None


def _refuse_configured(project: Project) -> None:
    if _configured(project) is not None:
        raise SecretRefused(
            f"The webhook secret of {project.name} is set by WEBHOOK_SECRET. To replace it, move"
            " it to WEBHOOK_SECRET_PREVIOUS, set the new one in WEBHOOK_SECRET, and restart the"
            " workers."
        )


def _text(secret: SecretStr) -> str:
    return _PREFIX + secret.get_secret_value().removeprefix(_PREFIX)


def _new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
