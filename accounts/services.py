"""Services on projects and API keys."""

import hashlib
import re
import secrets
from datetime import datetime
from typing import TypedDict, Unpack

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from accounts import audit
from accounts.models import DEFAULT_PROJECT, ApiKey, Project
from core.clock import ClockTimestamp
from core.prepared import Prepared

KEY_PREFIX = "nvt_"
_KEY = re.compile(r"[\x21-\x7e]{16,200}")


def get_default_project() -> Project:
    """The project ``default``; created at the first use."""
    return ensure_project(DEFAULT_PROJECT)


def ensure_project(name: str) -> Project:
    """The project of that name; a new one gets DEFAULT_MAX_INSTANCES as its limit."""
    project, _ = Project.objects.get_or_create(
        name=name,
        defaults={
            "live_instance_limit": default_instance_limit(),
            "private_templates": default_private_templates(name),
        },
    )
    return project


def default_instance_limit() -> int | None:
    """Limit of live instances for a new project (None: no limit), so that a leaked key cannot buy
    without limit. Existing projects keep their limit; an operator may change it.
    """
    limit: int = settings.CONFIG.default_max_instances
    return limit or None


def default_private_templates(name: str) -> list[str] | None:
    """Private templates that a new project may use: [] (none), or None (all) if PRIVATE_TEMPLATES
    is ``all``. The project ``default`` is the operator's own and may use all.
    """
    has_all = name == DEFAULT_PROJECT or settings.CONFIG.private_templates == "all"
    return None if has_all else []


def set_private_templates(project: Project, ids: list[str] | None, *, actor: str) -> None:
    """Set the private templates that the project may use; None: all of the account. Existing
    instances are not affected.
    """
    with transaction.atomic():
        row = Project.objects.select_for_update().get(pk=project.pk)
        before, row.private_templates = row.private_templates, ids
        if before != ids:
            row.save(update_fields=["private_templates"])
            audit.record(
                "project.private_templates",
                actor=actor,
                subject=project.public_id,
                project=project,
                before={"templates": before},
                after={"templates": ids},
            )


class KeyOptions(TypedDict, total=False):
    """Optional columns of a new ApiKey."""

    scopes: list[str]
    expires_at: datetime | None
    rate_limit: int | None


COMMAND = "operator:manage.py"


def create_api_key(
    *, project: Project, name: str, actor: str = COMMAND, **options: Unpack[KeyOptions]
) -> str:
    """Create a key and return it. Only its hash is stored, so it cannot be shown again."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        made = keep_api_key(project=project, name=name, key=key, **options)
        after = {"name": name, "scopes": list(made.scopes)}
        audit.record(
            "api_key.create", actor=actor, subject=made.public_id, project=project, after=after
        )
    return key


def keep_api_key(*, project: Project, name: str, key: str, **options: Unpack[KeyOptions]) -> ApiKey:
    """Store the hash of a given key, so that the key can be used; a second call changes nothing."""
    api_key, _ = ApiKey.objects.get_or_create(
        digest=digest_of(key),
        defaults={
            "project": project,
            "name": name,
            "start": key[:9],
            **options,
        },
    )
    return api_key


def revoke_api_key(api_key: ApiKey, *, actor: str = COMMAND) -> None:
    """Revoke a key permanently; a second call changes nothing."""
    with transaction.atomic():
        if ApiKey.objects.filter(pk=api_key.pk, revoked_at=None).update(revoked_at=Now()):
            audit.record(
                "api_key.revoke",
                actor=actor,
                subject=api_key.public_id,
                project=api_key.project,
                before={"name": api_key.name},
            )


def find_api_key(key: str) -> ApiKey | None:
    """The usable key with that text, with its project and ``found_at`` (the database's time); None
    if there is none.

    This is the first query of a request, so it also serves as the health check of the thread's
    connection; Django's own check would cost another round trip.
    """
    if not _KEY.fullmatch(key):
        return None
    connection.health_check_done = True  # type: ignore[attr-defined]
    return _USABLE_KEY.first(digest=digest_of(key))


_USABLE_KEY = Prepared(
    lambda digest: (
        ApiKey.objects.usable()
        .select_related("project")
        .annotate(found_at=ClockTimestamp())
        .filter(digest=digest)
        .order_by()
    ),
    digest="the digest",
)


def digest_of(key: str) -> str:
    """SHA-256 of the key. A slow hash is not needed: a key has 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()
