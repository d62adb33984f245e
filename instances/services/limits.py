"""Applies a project's limits to requests: defaults and maxima for runtime, price and count."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.db import transaction

from accounts import audit
from accounts.models import Project
from accounts.services import COMMAND
from instances.domain.errors import InstanceLimitReached, RequestRejected
from instances.domain.money import usd_text
from instances.domain.types import InstanceRequest
from instances.models import Instance


def limited(spec: InstanceRequest, project: Project) -> InstanceRequest:
    """The request with the project's defaults. Raises RequestRejected beyond its maxima.

    Without a default, the maximum applies to requests that name no value: otherwise a request
    without the field would have no limit.
    """
    runtime = _effective(
        spec.max_runtime_minutes, project.default_runtime_minutes, project.longest_runtime_minutes
    )
    price = _effective(
        spec.max_price_per_hour_e5_usd, project.default_price_e5_usd, project.highest_price_e5_usd
    )
    _check(spec, project)
    return replace(spec, max_runtime_minutes=runtime, max_price_per_hour_e5_usd=price)


def _effective(asked: int | None, default: int | None, most: int | None) -> int | None:
    if asked is not None:
        return asked
    if default is not None and most is not None:
        return min(default, most)
    return default if default is not None else most


def _check(spec: InstanceRequest, project: Project) -> None:
    errors: dict[str, str] = {}
    longest, highest = project.longest_runtime_minutes, project.highest_price_e5_usd
    if longest is not None and (spec.max_runtime_minutes or 0) > longest:
        errors["maxRuntimeMinutes"] = f"Max runtime must be at most {longest} minutes here"
    if highest is not None and (spec.max_price_per_hour_e5_usd or 0) > highest:
        text = usd_text(highest)
        errors["maxPricePerHourUsd"] = f"Max price per hour must be at most {text} USD here"
    if errors:
        raise RequestRejected(errors)


def has_room(project: Project) -> bool:
    """Whether one more instance would be accepted now. Reserves nothing."""
    limit = project.live_instance_limit
    return limit is None or Instance.objects.of(project).living().count() < limit


def check_runtime(minutes: int | None, project: Project) -> None:
    """Raises RequestRejected if the runtime (None: unlimited) exceeds the project's maximum."""
    longest = project.longest_runtime_minutes
    if longest is not None and (minutes is None or minutes > longest):
        raise RequestRejected(
            {"maxRuntimeMinutes": f"Max runtime must be at most {longest} minutes here"}
        )


@contextmanager
def holding_room(project: Project) -> Iterator[None]:
    """Create one more instance inside this context. Raises InstanceLimitReached.

    With a limit, the context is a transaction that locks the project's row, so that two requests
    cannot both take the last place.
    """
    if project.live_instance_limit is None:
        yield
        return
    with transaction.atomic():
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        limit = locked.live_instance_limit
        if limit is not None and Instance.objects.of(locked).living().count() >= limit:
            raise InstanceLimitReached(limit)
        yield


def set_project_limits(project: Project, *, actor: str = COMMAND, **limits: int | None) -> None:
    """Change limits by field name, None for no limit; existing instances keep theirs.

    Raises ValueError for a negative count, and for a time or price below 1.
    """
    for name, value in limits.items():
        if value is not None and value < (0 if name == "live_instance_limit" else 1):
            raise ValueError(f"{name} must be positive, or None for no limit; it is {value}")
        setattr(project, name, value)
    if not limits:
        return
    with transaction.atomic():
        # From the database: a form has already put the new values into ``project``.
        before = Project.objects.select_for_update().values(*limits).get(pk=project.pk)
        if before == limits:
            return
        project.save(update_fields=list(limits))
        audit.record(
            "project.limits",
            actor=actor,
            subject=project.public_id,
            project=project,
            before=before,
            after=limits,
        )
