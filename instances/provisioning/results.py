"""Applies the result of a create: placed, refused, or unconfirmed."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from core.clock import database_now
from instances.catalogue.placement import SOLD_OUT
from instances.domain.enums import CreateStep, InstanceStatus, WaitCode
from instances.domain.schedule import next_observation
from instances.lifecycle.jobs import enqueue_monitor
from instances.lifecycle.terminations import begin_ending
from instances.lifecycle.transitions import change_status, reason_of, record_event
from instances.lifecycle.waiting import end_wait, set_wait
from instances.models import Instance
from instances.models.locking import cause_of, locked_instances
from instances.provisioning.common import count_unanswered, given_up
from instances.provisioning.rejection import rejected
from instances.provisioning.submit import SubmitResult, SubmitWork
from instances.provisioning.waiting import code_of, doubt, wait_for
from jobs.failpoints import failpoint
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from upstream.errors import Blame, InsufficientResource, NovitaError

RECOVER_AFTER = timedelta(seconds=1)


def apply(jobs: Sequence[Job], work: SubmitWork, result: SubmitResult) -> Mapping[int, Outcome]:
    (job,) = jobs
    instance = locked_instances(jobs)[job.subject]
    if instance.create_step != CreateStep.POST:
        return {job.pk: Again()}
    if result.upstream_id:
        return {job.pk: placed(job, instance, result.upstream_id, "Novita accepted the create")}
    if result.error is not None and result.error.is_outcome_unknown:
        return {job.pk: _doubt(job, instance, result.error)}
    if instance.status != InstanceStatus.CREATING:
        return {job.pk: never_created(job, instance, "Novita refused the create")}
    return {job.pk: _not_created(job, instance, result)}


def placed(job: Job, instance: Instance, upstream_id: str, reason: str) -> Outcome:
    """Save Novita's id; then observe the instance, or end it if it is no longer wanted."""
    now = database_now()
    instance.upstream_id = upstream_id
    instance.create_step = CreateStep.PLACED
    cause = cause_of(job, reason)
    data = {"novitaInstanceId": upstream_id, "productId": instance.product_id}
    if instance.status == InstanceStatus.CREATING:
        change_status(instance, InstanceStatus.STARTING, cause=cause, now=now, data=data)
        enqueue_monitor(instance, at=next_observation(now), request_id=job.request_id)
    else:
        record_event(instance, "instance.arrived_late", cause=cause, now=now, data=data)
        begin_ending(instance, upstream_id, cause=cause, now=now)
    failpoint("create.before_commit")
    return Done()


def never_created(job: Job, instance: Instance, reason: str) -> Outcome:
    """Nothing was created, which is certain, and the instance is no longer wanted."""
    instance.create_step = CreateStep.CHOOSE
    instance.posted_at = None
    if instance.status == InstanceStatus.TERMINATING:
        cause = cause_of(job, reason)
        now, why = database_now(), reason_of(instance)
        change_status(instance, InstanceStatus.TERMINATED, cause=cause, now=now, reason=why)
    else:
        instance.save()
    return Done()


def _doubt(job: Job, instance: Instance, error: NovitaError) -> Outcome:
    """The create may have happened: only recover may decide what follows."""
    instance.create_step = CreateStep.LOOK_UP
    now = database_now()
    if instance.status == InstanceStatus.CREATING:
        set_wait(instance, doubt(error), now)
    cause = cause_of(job, f"the answer to the create was lost: {error}")
    record_event(instance, "instance.create_ambiguous", cause=cause, now=now)
    return Again(RECOVER_AFTER)


def _not_created(job: Job, instance: Instance, result: SubmitResult) -> Outcome:
    """Nothing was created, which is certain; the error's blame decides what follows."""
    error = result.error
    instance.create_step = CreateStep.CHOOSE
    instance.posted_at = None
    # No price without a GPU.
    instance.price_e5_usd = None
    if error is None or (error.belongs_to is Blame.OFFER and not result.failed_in_price_check):
        return _next_offer(instance, result.offer_lost, error)
    if error.belongs_to is Blame.REQUEST and not result.failed_in_price_check:
        instance.save()
        return given_up(rejected(error))
    if not result.failed_in_price_check and code_of(error) == WaitCode.CREATE_REFUSED:
        count_unanswered(instance)
    outcome = wait_for(job, instance, error)
    failpoint("create.before_refusal_commit")
    return outcome


def _next_offer(instance: Instance, offer_lost: str, error: NovitaError | None) -> Outcome:
    """Choose again at once; this request does not use a refused offer again."""
    refusal = offer_lost
    if error is not None:
        kind = SOLD_OUT if isinstance(error, InsufficientResource) else "refused"
        refusal = f"{kind} on create: {error}"
    if refusal:
        instance.refused_offers[instance.product_id] = refusal
    end_wait(instance)
    instance.save()
    failpoint("create.before_refusal_commit")
    return Again()
