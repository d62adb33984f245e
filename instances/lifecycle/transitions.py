"""Changes the status of an instance and writes its events, always under the row lock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Model

from core.inserts import insert
from instances.domain.enums import COMEBACKS, ENDED_STATUSES, TRANSITIONS, InstanceStatus
from instances.domain.errors import IllegalTransition
from instances.domain.types import Cause, Failure, Reason
from instances.lifecycle import addresses, credentials, outbox
from instances.models import Instance, InstanceEvent
from jobs.models import Job
from jobs.queue import CHANNEL

logger = structlog.get_logger()

_S = InstanceStatus
# Statuses in which all known addresses become invalid.
OUT_OF_REACH = frozenset({_S.STARTING, _S.STOPPED, _S.MIGRATING, _S.TERMINATED})

# Statuses whose own reason replaces the trouble that Novita reported before.
TROUBLE_IS_OVER = frozenset({_S.STOPPED, _S.TERMINATING, _S.TERMINATED, _S.FAILED})


def change_status(
    instance: Instance,
    to: InstanceStatus,
    *,
    cause: Cause,
    now: datetime,
    data: dict[str, Any] | None = None,
    reason: Reason | None = None,
    is_comeback: bool = False,
) -> InstanceEvent:
    """Change the status, write its event and its message.

    ``reason``: why, if no caller asked for it; stays until the next change of status.
    ``is_comeback``: Novita shows an instance alive that was concluded to be gone.
    Call with the row locked, inside a transaction; all changed fields of ``instance`` are saved.
    Raises IllegalTransition if TRANSITIONS does not allow the change.
    """
    before = InstanceStatus(instance.status)
    if not _is_arrow(before, to, is_comeback=is_comeback):
        raise IllegalTransition(instance.public_id, before, to)
    instance.status = to
    instance.status_changed_at = now
    # A wait ends with its status.
    instance.wait_code, instance.wait_message, instance.waiting_since = "", "", None
    instance.reason_code = reason.code if reason else ""
    instance.reason_message = reason.message if reason else ""
    if reason is not None:
        data = {**(data or {}), "code": reason.code, "message": reason.message}
    instance.ended_at = now if to in ENDED_STATUSES else None if is_comeback else instance.ended_at
    if to in TROUBLE_IS_OVER:
        instance.trouble_code = instance.trouble_message = ""
        instance.trouble_since, instance.trouble_looks = None, 0
    if to in OUT_OF_REACH:
        addresses.forget(instance)
    if to == InstanceStatus.TERMINATED:
        credentials.forget(instance)
    return record_event(
        instance, f"instance.{to}", cause=cause, now=now, before=before, after=to, data=data
    )


def _is_arrow(before: InstanceStatus, to: InstanceStatus, *, is_comeback: bool) -> bool:
    is_back = is_comeback and before == InstanceStatus.TERMINATED and to in COMEBACKS
    return is_back or to in TRANSITIONS[before]


def reason_of(instance: Instance) -> Reason | None:
    """Reason of the current status, to be passed on to the final status."""
    if not instance.reason_code:
        return None
    return Reason(instance.reason_code, instance.reason_message)


def fail(instance: Instance, failure: Failure, *, cause: Cause, now: datetime) -> InstanceEvent:
    """Change the status to failed, with a code and a sentence for people."""
    instance.error_code = failure.code
    instance.error_message = failure.message
    return change_status(
        instance,
        InstanceStatus.FAILED,
        cause=cause,
        now=now,
        data={"code": failure.code, "message": failure.message},
    )


def record_event(
    instance: Instance,
    type_: str,
    *,
    cause: Cause,
    now: datetime,
    before: str = "",
    after: str = "",
    data: dict[str, Any] | None = None,
    is_told: bool = False,
    jobs: Sequence[Job] = (),
) -> InstanceEvent:
    """Write one numbered event with its instance, its message and ``jobs``.

    A message is written for changes of status and for events with ``is_told``. New rows, the
    instance included, are written in one statement.
    """
    instance.sequence += 1
    event = InstanceEvent(
        project_id=instance.project_id,
        instance=instance,
        sequence=instance.sequence,
        type=type_,
        from_status=before,
        to_status=after,
        occurred_at=now,
        actor=cause.actor,
        cause=cause.reason[:300],
        request_id=cause.request_id,
        job_id=cause.job_id,
        data=data or {},
    )
    outgoing = outbox.compose(event) if after or is_told else None
    rows: list[Model] = [event, *jobs, *(outgoing.rows if outgoing else ())]
    if instance._state.adding:
        rows.insert(0, instance)
    else:
        instance.save()
    insert(*rows, wake=CHANNEL if any(isinstance(row, Job) for row in rows) else "")
    if outgoing:
        outgoing.enqueue()
    # Log after the commit: a change that is rolled back must not be logged.
    transaction.on_commit(lambda: _log(event, instance.public_id))
    return event


def _log(event: InstanceEvent, instance_id: str) -> None:
    logger.info(
        "instance_event",
        instance_id=instance_id,
        type=event.type,
        sequence=event.sequence,
        cause=event.cause,
        actor=event.actor,
        request_id=event.request_id,
        job_id=event.job_id,
    )
