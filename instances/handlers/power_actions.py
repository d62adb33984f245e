"""start_instance, stop_instance, restart_instance: sends an action to Novita when it is possible.

Each run first reads the instance and acts by its status, so that a second run, a lost answer or a
refusal in spite of an effect lead to the same result. The monitor job observes the effect.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from core.clock import database_now
from instances.domain.enums import Action
from instances.domain.schedule import next_observation
from instances.handlers.power_action_results import Changed, apply_result
from instances.lifecycle.jobs import ACTION_JOBS, enqueue_monitor
from instances.models import Instance
from instances.models.locking import instances_of, locked_instances
from instances.novita import client_factory, installation, limiter
from instances.novita.call_classes import CallClass
from instances.novita.limiter import Permit
from instances.services.power_actions import VERBS
from jobs.engine import leasing
from jobs.failpoints import failpoint
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from upstream.client import NovitaClient
from upstream.errors import NovitaError
from upstream.types import UpstreamInstance

OTHER_ACCOUNT = timedelta(minutes=1)

# Novita's status words in which an action is possible, and those in which it is in progress. A
# failed migration stays in `migrating`: there, a start is refused or helps.
POSSIBLE = {
    Action.START: {"exited", "migrating"},
    Action.STOP: {"running"},
    Action.RESTART: {"running"},
}
UNDER_WAY = {
    Action.START: {"toStart", "starting", "creating", "pulling", "running"},
    Action.STOP: {"toStop", "stopping", "exited", "freezing"},
    Action.RESTART: {"toRestart", "restarting"},
}


@dataclass(frozen=True, slots=True)
class ChangeWork:
    """``not_after``: monotonic seconds after which the action must not be sent, as for a create."""

    action: Action
    upstream_id: str
    permit: Permit
    not_after: float
    request_id: str = ""


class ChangeInstance(Handler[ChangeWork, Changed]):
    """Handler of the three actions; the job's type is the action."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[ChangeWork] | Resolved]:
        held = installation.paused_if_copy(jobs)
        if held:
            return held
        instances = instances_of(jobs)
        return [self._plan(job, instances.get(job.subject)) for job in jobs]

    def _plan(self, job: Job, instance: Instance | None) -> WorkItem[ChangeWork] | Resolved:
        if instance is None or not _is_wanted(instance, job):
            return Resolved({job.pk: Done()})
        if instance.upstream_account != settings.CONFIG.upstream_account:
            return Resolved({job.pk: Again(OTHER_ACCOUNT)})
        # A stop ends costs: it may use the reserve and passes an open breaker.
        is_end = instance.action == Action.STOP
        permit = limiter.reserve(
            2,
            CallClass.END if is_end else CallClass.CREATE,
            project_id=None if is_end else instance.project_id,
        )
        if not permit.is_granted:
            return Resolved({job.pk: Again(permit.wait)})
        spare = leasing.LEASE.total_seconds() - settings.CONFIG.novita_timeout
        work = ChangeWork(
            Action(instance.action),
            instance.upstream_id,
            permit,
            not_after=time.monotonic() + max(spare / 2, 0.5),
            request_id=job.request_id,
        )
        return WorkItem([job], work)

    def call(self, work: ChangeWork) -> Changed:
        client = client_factory.client(work.permit, request_id=work.request_id)
        seen = None
        try:
            seen = client.get_instance(work.upstream_id)
            if _is_under_way(work, seen):
                return Changed(client.calls, seen, is_under_way=True)
            if seen.status in POSSIBLE[work.action] and time.monotonic() <= work.not_after:
                failpoint("action.before_post")
                _send(client, work)
                failpoint("action.after_post")
                return Changed(client.calls, seen, is_under_way=True)
        except NovitaError as error:
            return Changed(client.calls, seen, error=error)
        return Changed(client.calls, seen)

    def record_usage(self, calls: Sequence[tuple[ChangeWork, Changed]]) -> None:
        limiter.report((work.permit, result.calls) for work, result in calls)

    def apply(
        self, jobs: Sequence[Job], work: ChangeWork, result: Changed
    ) -> Mapping[int, Outcome]:
        (job,) = jobs
        instance = locked_instances(jobs)[job.subject]
        outcome = apply_result(instance, result, job) if _is_wanted(instance, job) else Done()
        failpoint("action.before_commit")
        return {job.pk: outcome}

    def on_give_up(self, job: Job, error: str) -> None:
        """Let the monitor job go on: it sees no effect and enqueues the action again."""
        instance = Instance.objects.select_for_update().filter(public_id=job.subject).first()
        if instance is not None and _is_wanted(instance, job):
            instance.action_accepted_at = database_now()
            instance.save(update_fields=["action_accepted_at"])
            enqueue_monitor(instance, at=next_observation(database_now()))


def _is_wanted(instance: Instance, job: Job) -> bool:
    """Whether the job's action is still the one in progress."""
    if not instance.action:
        return False
    verb = VERBS[Action(instance.action)]
    return ACTION_JOBS[verb.action][0] == job.type and instance.status == verb.via


def _is_under_way(work: ChangeWork, seen: UpstreamInstance) -> bool:
    """By status word alone.

    If the worker died after a restart was complete, but before saving it, the restart is sent
    again: one too many is better than none.
    """
    return seen.status in UNDER_WAY[work.action]


def _send(client: NovitaClient, work: ChangeWork) -> None:
    send: Mapping[Action, Callable[[str], None]] = {
        Action.START: client.start_instance,
        Action.STOP: client.stop_instance,
        Action.RESTART: client.restart_instance,
    }
    send[work.action](work.upstream_id)
