"""What came of a create: placed, refused, or in doubt."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from instances.choices import CreateStep, InstanceStatus
from instances.creation.common import ask_again, given_up, refused
from instances.creation.posting import Posted, PostWork
from instances.database_clock import database_now
from instances.ending import begin_ending
from instances.models import Instance
from instances.novita.errors import (
    InsufficientResource,
    InvalidRequest,
    NotFound,
    NovitaError,
)
from instances.placement import SOLD_OUT
from instances.schedule import next_look
from instances.subjects import cause_of, locked_instances
from instances.transitions import change_status, reason_of, record_event
from instances.watch_job import enqueue_watch
from jobs.crashpoints import crashpoint
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome

LOOK_UP_AFTER = timedelta(seconds=1)


def apply(jobs: Sequence[Job], work: PostWork, result: Posted) -> Mapping[int, Outcome]:
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
    if result.offer_lost:
        instance.refused_offers[instance.product_id] = result.offer_lost
    return {job.pk: _not_created(instance, result.error)}


def placed(job: Job, instance: Instance, upstream_id: str, reason: str) -> Outcome:
    """The upstream id is known: start watching, or end it if nobody wants it any more."""
    now = database_now()
    instance.upstream_id = upstream_id
    instance.create_step = CreateStep.PLACED
    cause = cause_of(job, reason)
    data = {"novitaInstanceId": upstream_id, "productId": instance.product_id}
    if instance.status == InstanceStatus.CREATING:
        change_status(instance, InstanceStatus.STARTING, cause=cause, now=now, data=data)
        enqueue_watch(instance, at=next_look(now), request_id=job.request_id)
    else:
        record_event(instance, "instance.arrived_late", cause=cause, now=now, data=data)
        begin_ending(instance, upstream_id, cause=cause, now=now)
    crashpoint("create.before_commit")
    return Done()


def never_created(job: Job, instance: Instance, reason: str) -> Outcome:
    """Nothing is at Novita, for certain, and nobody wants it any more."""
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
    """The create may have acted: from here on only a look-up may decide."""
    instance.create_step = CreateStep.LOOK_UP
    cause = cause_of(job, f"the answer to the create was lost: {error}")
    record_event(instance, "instance.create_ambiguous", cause=cause, now=database_now())
    return Again(LOOK_UP_AFTER)


def _not_created(instance: Instance, error: NovitaError | None) -> Outcome:
    """Nothing was made, for certain: forget the intent and choose again, or give up."""
    instance.create_step = CreateStep.CHOOSE
    instance.posted_at = None
    # What was not bought has no price.
    instance.price_e5_usd = None
    is_of_the_offer = isinstance(error, InsufficientResource | NotFound | InvalidRequest)
    if error is not None and is_of_the_offer:
        kind = SOLD_OUT if isinstance(error, InsufficientResource) else "refused"
        instance.refused_offers[instance.product_id] = f"{kind} on create: {error}"
    instance.save()
    crashpoint("create.before_refusal_commit")
    if error is None or is_of_the_offer:
        return Again()
    return ask_again(error) if error.retryable else given_up(refused(error))
