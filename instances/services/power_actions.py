"""start, stop and restart: accepted here, carried out at Novita by a job.

Repeating an action that is in progress or complete changes nothing and is no error: a caller whose
answer was lost may repeat the call.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core.clock import database_now
from instances.domain.enums import Action, InstanceStatus
from instances.domain.errors import IllegalTransition
from instances.domain.types import ANY_VERSION, Cause, Reason, VersionPrecondition
from instances.lifecycle.jobs import enqueue_action
from instances.lifecycle.transitions import change_status
from instances.models import Instance
from instances.services.audit import audit_verb
from instances.services.versions import check_version
from jobs.failpoints import failpoint


@dataclass(frozen=True, slots=True)
class Verb:
    """Statuses of an action: allowed from, during, and those in which it is already done."""

    action: Action
    allowed_from: InstanceStatus
    via: InstanceStatus
    already: frozenset[InstanceStatus]


_S = InstanceStatus
START = Verb(
    Action.START,
    allowed_from=_S.STOPPED,
    via=_S.STARTING,
    already=frozenset({_S.STARTING, _S.RUNNING}),
)
STOP = Verb(
    Action.STOP,
    allowed_from=_S.RUNNING,
    via=_S.STOPPING,
    already=frozenset({_S.STOPPING, _S.STOPPED}),
)
RESTART = Verb(
    Action.RESTART,
    allowed_from=_S.RUNNING,
    via=_S.STARTING,
    already=frozenset(),
)
VERBS = {verb.action: verb for verb in (START, STOP, RESTART)}


def start_instance(
    *, public_id: str, cause: Cause, versions: VersionPrecondition = ANY_VERSION
) -> Instance:
    """stopped -> starting. Raises IllegalTransition and VersionMismatch."""
    return _act(START, public_id, cause, versions)


def stop_instance(
    *, public_id: str, cause: Cause, versions: VersionPrecondition = ANY_VERSION
) -> Instance:
    """running -> stopping. Raises IllegalTransition and VersionMismatch."""
    return _act(STOP, public_id, cause, versions)


def restart_instance(
    *, public_id: str, cause: Cause, versions: VersionPrecondition = ANY_VERSION
) -> Instance:
    """running -> starting. Raises IllegalTransition and VersionMismatch."""
    return _act(RESTART, public_id, cause, versions)


def _act(verb: Verb, public_id: str, cause: Cause, versions: VersionPrecondition) -> Instance:
    with transaction.atomic():
        instance = Instance.objects.select_for_update(of=["self"]).get(public_id=public_id)
        check_version(instance, versions)
        if _is_under_way(instance, verb) or instance.status in verb.already:
            return instance
        if instance.status != verb.allowed_from:
            raise IllegalTransition(public_id, instance.status, verb.via, verb.action)
        before = instance.status
        begin(instance, verb, cause=cause, now=database_now())
        audit_verb(f"instance.{verb.action}", instance, cause, before)
        failpoint("action.before_accept_commit")
    return instance


def begin(
    instance: Instance,
    verb: Verb,
    *,
    cause: Cause,
    now: datetime,
    reason: Reason | None = None,
) -> None:
    """Change the status and enqueue the job. The instance is locked and the action is allowed."""
    instance.action = verb.action
    instance.action_accepted_at = None
    if verb.via == InstanceStatus.STARTING:
        limit = timedelta(seconds=settings.CONFIG.instance_start_timeout)
        instance.start_deadline_at = now + limit
        instance.probe_error = ""
    change_status(instance, verb.via, cause=cause, now=now, reason=reason)
    enqueue_action(instance, request_id=cause.request_id)


def _is_under_way(instance: Instance, verb: Verb) -> bool:
    return instance.action == verb.action and instance.status == verb.via
