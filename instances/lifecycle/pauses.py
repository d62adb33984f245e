"""Shows an operator's pause of a job type on the instances that it delays.

Paused jobs are not loaded and cannot do that; enforce_limits calls ``tell`` every few seconds.
"""

from datetime import datetime

from django.db import transaction

from instances.domain.enums import InstanceStatus, JobType, StatusReason, WaitCode
from instances.domain.types import Wait
from instances.lifecycle.transitions import record_event
from instances.lifecycle.waiting import begin_wait
from instances.models import Instance
from instances.models.instance import InstanceQuerySet
from instances.models.locking import cause_of
from jobs.models import Job, PausedType

MOST_AT_ONCE = 200


def tell(job: Job, now: datetime) -> None:
    """Mark each instance once, in a transaction of its own."""
    types = (JobType.CREATE_INSTANCE, JobType.TERMINATE_INSTANCE)
    for paused in PausedType.objects.filter(type__in=types):
        is_create = paused.type == JobType.CREATE_INSTANCE
        rows = _to_be_made() if is_create else _to_be_ended()
        for pk in rows.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE]:
            with transaction.atomic():
                instance = rows.filter(pk=pk).select_for_update(of=["self"]).first()
                if instance is not None:
                    (_say_made if is_create else _say_ended)(job, instance, _words(paused), now)


def _to_be_made() -> InstanceQuerySet:
    rows = Instance.objects.filter(status=InstanceStatus.CREATING)
    return rows.exclude(wait_code=WaitCode.JOBS_PAUSED)


def _to_be_ended() -> InstanceQuerySet:
    return Instance.objects.filter(status=InstanceStatus.TERMINATING, reason_code="")


def _words(paused: PausedType) -> str:
    why = f": {paused.reason}" if paused.reason else ""
    return f"Its operator has paused jobs of type {paused.type}{why}."


def _say_made(job: Job, instance: Instance, words: str, now: datetime) -> None:
    begin_wait(job, instance, Wait(WaitCode.JOBS_PAUSED, words))


def _say_ended(job: Job, instance: Instance, words: str, now: datetime) -> None:
    """Mark a delayed termination; the first get by id after the pause removes the reason."""
    instance.reason_code, instance.reason_message = StatusReason.ENDING_HELD_UP, words
    cause = cause_of(job, words)
    data = {"novitaInstanceId": instance.upstream_id, "message": words}
    record_event(instance, "instance.ending_held_up", cause=cause, now=now, data=data, is_told=True)
