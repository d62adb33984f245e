"""The verbs on projects and keys."""

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
    """The project of a service with one user; made at its first use."""
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
    """Live instances of a new project, so that one leaked key cannot buy without end. Projects
    that exist keep the limit that they have, and an operator may choose another, or none.
    """
    limit: int = settings.CONFIG.default_max_instances
    return limit or None


def default_private_templates(name: str) -> list[str] | None:
    """Of a new project: none of the account's private templates, unless PRIVATE_TEMPLATES says
    ``all``. The default project is the operator's own, and has them all.
    """
    has_all = name == DEFAULT_PROJECT or settings.CONFIG.private_templates == "all"
    return None if has_all else []


def set_private_templates(project: Project, ids: list[str] | None, *, actor: str) -> None:
    """None: all of the account's. What runs already goes on."""
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
    """What may be said of a key beside its name: columns of ApiKey."""

    scopes: list[str]
    expires_at: datetime | None
    rate_limit: int | None


COMMAND = "operator:manage.py"


def create_api_key(
    *, project: Project, name: str, actor: str = COMMAND, **options: Unpack[KeyOptions]
) -> str:
    """Store a new key's hash and return the key itself, the only time it can be seen."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        made = keep_api_key(project=project, name=name, key=key, **options)
        after = {"name": name, "scopes": list(made.scopes)}
        audit.record(
            "api_key.create", actor=actor, subject=made.public_id, project=project, after=after
        )
    return key


def keep_api_key(*, project: Project, name: str, key: str, **options: Unpack[KeyOptions]) -> ApiKey:
    """Make a key that already exists elsewhere usable here; a second call changes nothing."""
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
    """End a key for good; a second call leaves the first one's time."""
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
    """The usable key of that text, with its project, and with ``found_at``, the database's time;
    None for anything else.

    As the first query of a request it is also the health check of the thread's connection, which
    would otherwise cost a round trip of its own.
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
    """SHA-256 is enough for 256 random bits: there is nothing to guess, so nothing to slow down."""
    return hashlib.sha256(key.encode()).hexdigest()
