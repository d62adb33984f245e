"""Updates an instance: name, tags, webhook receiver, runtime limit."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction

from accounts import audit
from core.clock import database_now
from instances.domain.enums import InstanceStatus
from instances.domain.errors import IllegalTransition, RequestRejected
from instances.domain.tags import MOST_TAGS
from instances.domain.types import ANY_VERSION, Cause, InstancePatch, VersionPrecondition
from instances.lifecycle.transitions import record_event
from instances.models import Instance
from instances.services.limits import check_runtime
from instances.services.versions import check_version
from webhooks import lanes
from webhooks.models import Endpoint, EndpointKind
from webhooks.services import endpoints

# Names in the API. The receiver's address may contain a secret: events only name the field.
_TOLD = {"name": "name", "tags": "tags", "max_runtime_minutes": "maxRuntimeMinutes"}
_NOT_TOLD = {"webhook_url": "webhookUrl"}


def update_instance(
    *,
    public_id: str,
    changes: InstancePatch,
    cause: Cause,
    versions: VersionPrecondition = ANY_VERSION,
) -> Instance:
    """Apply the changes and write one event with the differences; without any, write nothing.

    Pending webhook messages go to the new receiver, or are cancelled without one. Raises
    IllegalTransition for a terminated instance, VersionMismatch, and RequestRejected by the limits.
    """
    with transaction.atomic():
        instance = Instance.objects.select_for_update(of=["self"]).get(public_id=public_id)
        check_version(instance, versions)
        if instance.status == InstanceStatus.TERMINATED:
            raise IllegalTransition(public_id, instance.status, "", "be changed")
        before = _changeable(instance)
        _change(instance, changes)
        after = _changeable(instance)
        if after != before:
            if before["webhook_url"] != after["webhook_url"]:
                _change_receiver(instance)
            record_event(
                instance,
                "instance.updated",
                cause=cause,
                now=database_now(),
                data=_difference(before, after),
                is_told=True,
            )
            _audit(instance, before, after, cause)
            instance.refresh_from_db(fields=["version"])
    return instance


def _changeable(instance: Instance) -> dict[str, Any]:
    return {name: getattr(instance, name) for name in (*_TOLD, *_NOT_TOLD)}


def _change(instance: Instance, changes: InstancePatch) -> None:
    fields = dict(changes.fields)
    if "max_runtime_minutes" in fields:
        minutes = fields.pop("max_runtime_minutes")
        if minutes != instance.max_runtime_minutes:
            _set_runtime(instance, minutes)  # type: ignore[arg-type]
    for name, value in fields.items():
        setattr(instance, name, value)
    instance.tags = _merged({} if changes.clears_tags else instance.tags, changes.tags)


def _set_runtime(instance: Instance, minutes: int | None) -> None:
    """Set the runtime limit; the end moves with it, and the warning will be sent again."""
    check_runtime(minutes, instance.project)
    instance.max_runtime_minutes = minutes
    instance.expiry_warned_at = None
    instance.expires_at = None
    if minutes is not None and instance.started_at is not None:
        instance.expires_at = instance.started_at + timedelta(minutes=minutes)


def _merged(old: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    """Merge patch of RFC 7396: null removes a key."""
    merged = {key: value for key, value in {**old, **patch}.items() if value is not None}
    if len(merged) > MOST_TAGS and len(merged) > len(old):
        raise RequestRejected(
            {"tags": f"Tags must be at most {MOST_TAGS}; this would make {len(merged)}"}
        )
    return merged


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    changed = [name for name in before if before[name] != after[name]]
    told = [name for name in changed if name in _TOLD]
    return {
        "changed": [{**_TOLD, **_NOT_TOLD}[name] for name in changed],
        "from": {_TOLD[name]: before[name] for name in told},
        "to": {_TOLD[name]: after[name] for name in told},
    }


def _audit(
    instance: Instance, before: Mapping[str, Any], after: Mapping[str, Any], cause: Cause
) -> None:
    told = _difference(before, after)
    audit.record(
        "instance.update",
        actor=cause.actor,
        subject=instance.public_id,
        project=instance.project,
        before=told["from"],
        after={**told["to"], "changed": told["changed"]},
        reason=cause.reason,
    )


def _change_receiver(instance: Instance) -> None:
    """Pending messages go to the new receiver, or are cancelled without one."""
    # Before any row of an endpoint: the event's message waits for these jobs, too.
    lanes.lock_subject(instance.public_id)
    rows = Endpoint.objects.existing().select_related("project")
    endpoint = rows.filter(kind=EndpointKind.INSTANCE, subject=instance.public_id).first()
    if endpoint is None:
        return
    if instance.webhook_url:
        endpoints.change_url(endpoint, instance.webhook_url)
    else:
        endpoints.end(endpoint)
