"""Starts the termination of GPUs, in the transaction that decides it.

An ending is the only reason for a delete. It needs a decision: of a caller, of a limit, after a
failed start, for a duplicate, or by ORPHAN_POLICY. A GPU that was not seen for a while is no such
decision (docs/absence.md).
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from instances.domain.enums import EndingDecision, InstanceStatus, StatusReason
from instances.domain.errors import NotAsked
from instances.domain.types import Cause
from instances.lifecycle.jobs import enqueue_termination
from instances.lifecycle.transitions import change_status, record_event
from instances.models import Instance, UpstreamEnding

_DECISIONS_BY_REASON: dict[str, EndingDecision] = {
    StatusReason.RUNTIME_LIMIT: EndingDecision.LIMIT,
    StatusReason.ORPHANED: EndingDecision.ORPHAN,
}
_DECISIONS_BY_STATUS: dict[str, EndingDecision] = {
    InstanceStatus.TERMINATING: EndingDecision.CALLER,
    InstanceStatus.TERMINATED: EndingDecision.CALLER,
    InstanceStatus.FAILED: EndingDecision.FAILED_START,
}

# Release 0.5.0 began endings without a decision, for GPUs that it had wrongly concluded to be gone.
_CAME_BACK = "it is listed although its absence was proven"
_UNASKED = Q(wish="", reason=_CAME_BACK)


def begin_ending(instance: Instance, upstream_id: str, *, cause: Cause, now: datetime) -> None:
    """Begin the ending of this GPU; does nothing if one is open. The instance is locked.

    A confirmed ending is reopened if the GPU exists after all. Raises NotAsked without a decision
    to end this GPU.
    """
    ending, is_new = UpstreamEnding.objects.get_or_create(
        account=instance.upstream_account,
        upstream_id=upstream_id,
        defaults={
            "project": instance.project,
            "instance": instance,
            "reason": cause.reason[:300],
            "wish": decision_of(instance, upstream_id),
        },
    )
    if not is_new and not ending.wish:
        # Begun before 0.6.0 without a decision: it gets the present one.
        ending.wish, ending.reason = decision_of(instance, upstream_id), cause.reason[:300]
        ending.save(update_fields=["wish", "reason"])
    if not is_new and ending.confirmed_at is None:
        return
    if not is_new:
        _reopen(ending, instance, cause, now)
    data = {"novitaInstanceId": upstream_id}
    record_event(instance, "instance.ending_begun", cause=cause, now=now, data=data)
    enqueue_termination(ending, instance, request_id=cause.request_id)


def decision_of(instance: Instance, upstream_id: str) -> EndingDecision:
    """The decision behind an ending of this GPU. Raises NotAsked if there is none."""
    is_another = upstream_id != instance.upstream_id
    if is_another and (instance.upstream_id or not instance.has_ended):
        return EndingDecision.DUPLICATE
    decision = _DECISIONS_BY_STATUS.get(instance.status)
    if decision is None:
        raise NotAsked(instance.public_id, instance.status)
    return _DECISIONS_BY_REASON.get(instance.reason_code, decision)


def keep_decision(instance: Instance, *, cause: Cause, now: datetime) -> None:
    """Record a caller's request to end an instance that is gone, in case it reappears.

    Does nothing if an ending was requested before. The instance is locked and terminated.
    """
    if not instance.upstream_id or is_end_decided(instance):
        return
    asked = {
        "project": instance.project,
        "instance": instance,
        "reason": cause.reason[:300],
        "wish": EndingDecision.CALLER,
    }
    UpstreamEnding.objects.update_or_create(
        account=instance.upstream_account,
        upstream_id=instance.upstream_id,
        defaults=asked,
        create_defaults={**asked, "confirmed_at": now},
    )
    data = {"novitaInstanceId": instance.upstream_id}
    record_event(instance, "instance.end_asked_later", cause=cause, now=now, data=data)


def is_end_decided(instance: Instance) -> bool:
    """Whether an ending of the instance's own GPU was ever requested."""
    mine = UpstreamEnding.objects.filter(
        account=instance.upstream_account, upstream_id=instance.upstream_id
    )
    return mine.exclude(_UNASKED).exists()


def drop_if_unasked(ending: UpstreamEnding, *, cause: Cause, now: datetime) -> bool:
    """Delete an ending without a decision; the reconciler then takes the instance back.

    Locks the instance, in a transaction of its own. True if the ending no longer exists.
    """
    if ending.wish or ending.reason != _CAME_BACK:
        return False
    with transaction.atomic():
        instance = Instance.objects.select_for_update().get(pk=ending.instance_id)
        dropped, _ = UpstreamEnding.objects.filter(_UNASKED, pk=ending.pk).delete()
        if not dropped:
            # Requested, or deleted by another process, in the meantime.
            return not UpstreamEnding.objects.filter(pk=ending.pk).exists()
        data = {"novitaInstanceId": ending.upstream_id}
        record_event(instance, "instance.ending_dropped", cause=cause, now=now, data=data)
    return True


def _reopen(ending: UpstreamEnding, instance: Instance, cause: Cause, now: datetime) -> None:
    """Start again an ending that was confirmed too early."""
    ending.confirmed_at = ending.absence_seen_at = ending.refused_since = None
    ending.list_without_at = ending.error_since = None
    ending.looks = ending.refused_looks = ending.lists_without = 0
    ending.deletes_accepted = ending.error_count = 0
    ending.save()
    if instance.upstream_id != ending.upstream_id:
        return
    instance.upstream_gone_at = None
    if instance.status == InstanceStatus.TERMINATED:
        change_status(instance, InstanceStatus.TERMINATING, cause=cause, now=now, is_comeback=True)
