"""Repeats a failed request as a new instance; the failed instance is not changed."""

from dataclasses import fields

from django.db import transaction

from core.clock import database_now
from instances.domain.enums import InstanceStatus
from instances.domain.errors import CreatedAgainAlready, IllegalTransition
from instances.domain.types import Cause, InstanceRequest
from instances.lifecycle.transitions import record_event
from instances.models import Instance, InstanceEvent
from instances.services.audit import audit_verb
from instances.services.create import create_instance

EVENT = "instance.created_again"


def create_again(*, public_id: str, cause: Cause) -> Instance:
    """Create a new instance from a failed one, under the project's present limits; once each.

    Raises IllegalTransition unless the instance is failed, CreatedAgainAlready, RequestRejected and
    InstanceLimitReached.
    """
    with transaction.atomic():
        failed = (
            Instance.objects.select_for_update(of=["self"])
            .select_related("project")
            .get(public_id=public_id)
        )
        if failed.status != InstanceStatus.FAILED:
            raise IllegalTransition(public_id, failed.status, "", "be created again")
        if (made := made_from(failed)) is not None:
            raise CreatedAgainAlready(public_id, made)
        spec = InstanceRequest(
            **{field.name: getattr(failed, field.name) for field in fields(InstanceRequest)}
        )
        created = create_instance(project=failed.project, spec=spec, cause=cause)
        data = {"instanceId": created.instance.public_id}
        record_event(failed, EVENT, cause=cause, now=database_now(), data=data)
        audit_verb("instance.create_again", failed, cause, failed.status)
    return created.instance


def made_from(failed: Instance) -> str | None:
    """Public id of the instance that was created from it, or None."""
    event = InstanceEvent.objects.filter(instance=failed, type=EVENT).first()
    return None if event is None else str(event.data["instanceId"])
