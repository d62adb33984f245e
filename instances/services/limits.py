"""What a project's requests may cost: defaults for what they leave open, and maxima."""

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


def limited(wish: InstanceRequest, project: Project) -> InstanceRequest:
    """The wish with the project's defaults filled in. Raises RequestRejected beyond its maxima.

    A project with a maximum and no default gives its maximum to requests that name nothing: else
    leaving a field out would be a way around it.
    """
    runtime = _effective(
        wish.max_runtime_minutes, project.default_runtime_minutes, project.longest_runtime_minutes
    )
    price = _effective(
        wish.max_price_per_hour_e5_usd, project.default_price_e5_usd, project.highest_price_e5_usd
    )
    _check(wish, project)
    return replace(wish, max_runtime_minutes=runtime, max_price_per_hour_e5_usd=price)


def _effective(asked: int | None, default: int | None, most: int | None) -> int | None:
    if asked is not None:
        return asked
    if default is not None and most is not None:
        return min(default, most)
    return default if default is not None else most


def _check(wish: InstanceRequest, project: Project) -> None:
    errors: dict[str, str] = {}
    longest, highest = project.longest_runtime_minutes, project.highest_price_e5_usd
    if longest is not None and (wish.max_runtime_minutes or 0) > longest:
        errors["maxRuntimeMinutes"] = f"Max runtime must be at most {longest} minutes here"
    if highest is not None and (wish.max_price_per_hour_e5_usd or 0) > highest:
        text = usd_text(highest)
        errors["maxPricePerHourUsd"] = f"Max price per hour must be at most {text} USD here"
    if errors:
        raise RequestRejected(errors)


def has_room(project: Project) -> bool:
    """Whether one more would be accepted at this moment; nothing is held for whoever asks."""
    limit = project.live_instance_limit
    return limit is None or Instance.objects.of(project).living().count() < limit


def check_runtime(minutes: int | None, project: Project) -> None:
    """Raises RequestRejected for a runtime, or none at all, beyond what the project may have."""
    longest = project.longest_runtime_minutes
    if longest is not None and (minutes is None or minutes > longest):
        raise RequestRejected(
            {"maxRuntimeMinutes": f"Max runtime must be at most {longest} minutes here"}
        )


@contextmanager
def holding_room(project: Project) -> Iterator[None]:
    """Make one more in here. Raises InstanceLimitReached.

    With a limit it is a transaction that holds the project's row until its end, so that two
    requests cannot both take the last place.
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
    """Change limits by their field's name; what exists already keeps what it was promised.

    None is no limit. Raises ValueError for a time or price of nothing, which would be none as well.
    """
    for name, value in limits.items():
        if value is not None and value < (0 if name == "live_instance_limit" else 1):
            raise ValueError(f"{name} must be more, or None for no limit: {value}")
        setattr(project, name, value)
    if not limits:
        return
    with transaction.atomic():
        # By the row: a form has put the new values into the project already.
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
