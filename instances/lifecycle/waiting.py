"""Records why a create waits, on the instance and in one event for each new reason.

Any change of status ends the wait (see transitions).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from core.clock import database_now
from instances.domain.enums import InstanceStatus
from instances.domain.types import Wait
from instances.lifecycle.transitions import record_event
from instances.models import Instance
from instances.models.locking import cause_of, locked_instances
from jobs.engine import leasing
from jobs.models import Job

MAX_MESSAGE = 500


def begin_wait(job: Job, instance: Instance, wait: Wait) -> None:
    """Save why the locked instance waits; writes an event if the code is new.

    The message of the first occurrence stays, since it may contain a counter or a time that changes
    with each try.
    """
    if instance.status != InstanceStatus.CREATING or instance.wait_code == wait.code:
        instance.save()
        return
    now = database_now()
    set_wait(instance, wait, now)
    record_event(
        instance,
        "instance.waiting",
        cause=cause_of(job, wait.message),
        now=now,
        data={"code": wait.code, "message": instance.wait_message},
    )


def set_wait(instance: Instance, wait: Wait, now: datetime) -> None:
    """Set the wait without an event, for callers that write another event. Saves nothing."""
    instance.wait_code = wait.code
    instance.wait_message = wait.message[:MAX_MESSAGE]
    instance.waiting_since = now


def end_wait(instance: Instance) -> None:
    """Clear the wait. Saves nothing."""
    instance.wait_code, instance.wait_message, instance.waiting_since = "", "", None


def note_waits(jobs: Sequence[Job], instances: Mapping[str, Instance], wait: Wait) -> None:
    """Record the same reason on several instances, in a transaction of its own. For ``load``.

    ``instances`` as loaded before; only those whose reason changes are locked and written.
    """
    changed = [job for job in jobs if _is_new(instances.get(job.subject), wait)]
    if not changed:
        return
    with transaction.atomic():
        ours = leasing.lock_owned(changed)
        mine = [job for job in changed if job.pk in ours]
        locked = locked_instances(mine)
        for job in mine:
            if (instance := locked.get(job.subject)) is not None:
                begin_wait(job, instance, wait)


def _is_new(instance: Instance | None, wait: Wait) -> bool:
    is_creating = instance is not None and instance.status == InstanceStatus.CREATING
    return is_creating and instance is not None and instance.wait_code != wait.code
