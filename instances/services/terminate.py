"""Accepts the end of instances; jobs continue until nothing of them is left at Novita."""

from datetime import datetime, timedelta

from django.db import OperationalError, transaction
from django.db.models import Q

from accounts import audit
from accounts.models import ApiKey, Project
from core.clock import database_now
from instances.domain.enums import InstanceStatus, StatusReason
from instances.domain.types import ANY_VERSION, Cause, Reason, VersionPrecondition
from instances.lifecycle.jobs import enqueue_create
from instances.lifecycle.terminations import begin_ending, keep_decision
from instances.lifecycle.transitions import change_status
from instances.models import Instance, InstanceEvent
from instances.models.instance import InstanceQuerySet
from instances.services.audit import audit_verb
from instances.services.versions import check_version
from jobs.failpoints import failpoint
from jobs.models import Job


def terminate_instance(
    *,
    public_id: str,
    cause: Cause,
    reason: Reason | None = None,
    versions: VersionPrecondition = ANY_VERSION,
) -> Instance:
    """Any status -> terminating -> terminated; repeating it changes nothing.

    If the instance was terminated because Novita no longer showed it, the request is recorded: it
    is ended if it reappears. Raises VersionMismatch.
    """
    with transaction.atomic():
        instance = Instance.objects.select_for_update(of=["self"]).get(public_id=public_id)
        check_version(instance, versions)
        if instance.status not in (InstanceStatus.TERMINATING, InstanceStatus.TERMINATED):
            before = instance.status
            begin_termination(instance, cause=cause, now=database_now(), reason=reason)
            audit_verb("instance.terminate", instance, cause, before)
            failpoint("terminate.before_accept_commit")
        elif instance.status == InstanceStatus.TERMINATED:
            keep_decision(instance, cause=cause, now=database_now())
    return instance


def begin_termination(
    instance: Instance, *, cause: Cause, now: datetime, reason: Reason | None = None
) -> None:
    """Begin the end of a locked instance that is neither terminating nor terminated.

    An instance that was never sent to Novita is terminated at once, unless a duplicate is open. For
    an unconfirmed create, the create job goes on until the outcome is known and ends what it finds.
    """
    instance.action = ""
    change_status(instance, InstanceStatus.TERMINATING, cause=cause, now=now, reason=reason)
    if instance.is_holding:
        begin_ending(instance, instance.upstream_id, cause=cause, now=now)
    elif instance.has_unconfirmed_create:
        _resume_create(instance, cause)
    elif not instance.endings.filter(confirmed_at=None).exists():
        change_status(instance, InstanceStatus.TERMINATED, cause=cause, now=now, reason=reason)


def _resume_create(instance: Instance, cause: Cause) -> None:
    """Enqueue the create job unless it is live.

    A live one goes on while the create is unconfirmed. Locking its row with the instance locked
    would be a deadlock with the completer.
    """
    if not Job.objects.live().filter(dedupe_key=f"create:{instance.public_id}").exists():
        enqueue_create(instance, request_id=cause.request_id)


def terminate_all(*, project: Project, cause: Cause, key: ApiKey | None = None) -> list[str]:
    """End all live instances of the project, and failed ones that hold a GPU.

    With ``key``, only those that it made. One transaction each, so that one locked row does not
    delay the others. Returns the public ids of the ended instances. If a row could not be locked,
    raises the database's error after all others are ended.
    """
    public_ids = to_be_ended(project, key).order_by("pk").values_list("public_id", flat=True)
    unasked = _gone_unasked(project, key).order_by("pk").values_list("public_id", flat=True)
    for public_id in unasked:
        terminate_instance(public_id=public_id, cause=cause)
    ended: list[str] = []
    error: OperationalError | None = None
    for public_id in list(public_ids):
        try:
            terminate_instance(public_id=public_id, cause=cause)
            ended.append(public_id)
        except OperationalError as caught:
            error = caught
    audit.record(
        "project.terminate_all" if key is None else "api_key.terminate_all",
        actor=cause.actor,
        subject=project.public_id if key is None else key.public_id,
        project=project,
        after={"instances": len(ended)},
        reason=cause.reason,
    )
    if error is not None:
        raise error
    return ended


# Age at which an instance that Novita no longer shows is not expected to reappear.
PERHAPS_BACK = timedelta(days=1)


def _gone_unasked(project: Project, key: ApiKey | None) -> InstanceQuerySet:
    """Instances concluded to be gone within PERHAPS_BACK without a request to end them.

    Ending all includes them, in case they reappear.
    """
    mine = Instance.objects.of(project) if key is None else made_by(key)
    return mine.filter(
        status=InstanceStatus.TERMINATED,
        reason_code=StatusReason.DELETED_AT_NOVITA,
        status_changed_at__gte=database_now() - PERHAPS_BACK,
    )


def made_by(key: ApiKey) -> InstanceQuerySet:
    """Instances requested with this key. Rows from before 0.6.0 are found by their first event."""
    actor = f"key:{key.public_id}"
    told = InstanceEvent.objects.filter(project=key.project, sequence=1, actor=actor)
    of_before = Q(made_by="", pk__in=told.values("instance"))
    return Instance.objects.of(key.project).filter(Q(made_by=actor) | of_before)


def to_be_ended(project: Project, key: ApiKey | None = None) -> InstanceQuerySet:
    """Instances that ``terminate_all`` would end."""
    mine = Instance.objects.of(project) if key is None else made_by(key)
    alive = mine.not_ended().exclude(status=InstanceStatus.TERMINATING)
    failed = mine.holding().filter(status=InstanceStatus.FAILED)
    pks = [*alive.values_list("pk", flat=True), *failed.values_list("pk", flat=True)]
    return mine.filter(pk__in=pks)
