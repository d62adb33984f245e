"""create_instance: creates exactly one instance at Novita for a request.

Steps: choose -> post -> placed, or post -> look_up -> placed or post again. Each step is saved
before the next begins. ``posted_at`` is committed before the create is sent, so that a crash at any
line leads to look_up and never to a second create.
"""

from collections.abc import Mapping, Sequence

from core.clock import database_now
from instances.domain.enums import CreateStep, InstanceStatus, WaitCode
from instances.domain.types import Wait
from instances.lifecycle.transitions import fail
from instances.lifecycle.waiting import note_waits
from instances.models import Instance
from instances.models.locking import cause_of, instances_of
from instances.novita import installation, limiter
from instances.provisioning import prefetch, recover, results, submit
from instances.provisioning.common import failure_of
from instances.provisioning.prefetch import PrefetchResult, PrefetchWork
from instances.provisioning.recover import RecoverResult, RecoverWork
from instances.provisioning.submit import SubmitResult, SubmitWork
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Done, Outcome

HELD_BACK = Wait(
    WaitCode.HELD_BACK,
    "The database of this service was moved or copied: nothing is created until its operator "
    "accepts it (manage.py reconcile --accept).",
)
Work = PrefetchWork | SubmitWork | RecoverWork
Result = PrefetchResult | SubmitResult | RecoverResult


class CreateInstance(Handler[Work, Result]):
    """Each run carries out the step that is saved on the row."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Work] | Resolved]:
        instances = instances_of(jobs)
        held = installation.paused_if_copy(jobs)
        if held:
            note_waits(jobs, instances, HELD_BACK)
            return held
        by_step: dict[str, list[Job]] = {step: [] for step in CreateStep}
        for job in jobs:
            instance = instances.get(job.subject)
            if instance is not None and _has_work(instance):
                by_step[_step(instance)].append(job)
        parts = [
            *submit.prepare(by_step[CreateStep.CHOOSE], instances),
            *recover.prepare(by_step[CreateStep.LOOK_UP], instances),
        ]
        covered = {pk for part in parts for pk in _job_ids(part)}
        return [*parts, Resolved({job.pk: Done() for job in jobs if job.pk not in covered})]

    def call(self, work: Work) -> Result:
        match work:
            case PrefetchWork():
                return prefetch.call(work)
            case SubmitWork():
                return submit.call(work)
            case RecoverWork():
                return recover.call(work)

    def record_usage(self, calls: Sequence[tuple[Work, Result]]) -> None:
        limiter.report((work.permit, result.calls) for work, result in calls)

    def apply(self, jobs: Sequence[Job], work: Work, result: Result) -> Mapping[int, Outcome]:
        match work, result:
            case PrefetchWork(), PrefetchResult():
                return prefetch.apply(jobs, work, result)
            case SubmitWork(), SubmitResult():
                return results.apply(jobs, work, result)
            case RecoverWork(), RecoverResult():
                return recover.apply(jobs, work, result)
            case _:
                raise TypeError(f"{type(work).__name__} with {type(result).__name__}")

    def on_give_up(self, job: Job, error: str) -> None:
        """Fail the instance: without a job it would stay ``creating``."""
        instance = Instance.objects.select_for_update().filter(public_id=job.subject).first()
        if instance is not None and instance.status == InstanceStatus.CREATING:
            cause = cause_of(job, "the create job failed")
            fail(instance, failure_of(error), cause=cause, now=database_now())

    instead_of_redrive = "Use Create again on the page of its instance."

    def is_redrivable(self, job: Job) -> bool:
        """Never: a failed instance stays failed; the caller makes a new request."""
        return False


def _has_work(instance: Instance) -> bool:
    """Whether the create goes on: also for an ended or failed instance that may be at Novita."""
    return instance.status == InstanceStatus.CREATING or instance.has_unconfirmed_create


def _step(instance: Instance) -> str:
    """The step to run. A row in ``post`` is from a dead worker: the create may have been sent."""
    return CreateStep.LOOK_UP if instance.create_step == CreateStep.POST else instance.create_step


def _job_ids(part: WorkItem[Work] | Resolved) -> list[int]:
    return list(part.outcomes) if isinstance(part, Resolved) else [job.pk for job in part.jobs]
