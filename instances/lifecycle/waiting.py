"""Why a create does not go on at the moment: written on the instance, once per change.

An instance that waits says so to its owner; any change of its status ends the wait (transitions).
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
    """Save why the locked instance waits; an event if the reason is a new one.

    The words may change from look to look (a counter, a time): the first ones stay, so that a long
    wait is one event and not one for each look.
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
    """Without an event of its own, where another one tells it; the caller saves the row."""
    instance.wait_code = wait.code
    instance.wait_message = wait.message[:MAX_MESSAGE]
    instance.waiting_since = now


def end_wait(instance: Instance) -> None:
    """The reason has passed; the caller saves the row."""
    instance.wait_code, instance.wait_message, instance.waiting_since = "", "", None


def note_waits(jobs: Sequence[Job], instances: Mapping[str, Instance], wait: Wait) -> None:
    """The same reason for many, in a transaction of its own. For ``load``: ``instances`` are as
    they were read there, and only those whose reason changes are locked and written.
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
