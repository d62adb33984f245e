"""The create itself: the intent is committed, then sent once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from instances import catalogue, gate, upstream
from instances.choices import CreateStep, FailureCode, InstanceStatus
from instances.creation.common import given_up, wish_of
from instances.creation.fetching import MOST_CALLS, FetchWork
from instances.database_clock import database_now
from instances.gate import Permit
from instances.models import Instance
from instances.naming import Mark
from instances.novita.calls import CallRecord
from instances.novita.client import NovitaClient
from instances.novita.errors import NovitaError
from instances.novita.types import CreateRequest, Template
from instances.placement import Ranking, above_cap, explain, price_in, rank
from instances.publishing import probe_failure
from instances.subjects import locked_instances
from instances.types import Failure, Wish
from jobs import leasing
from jobs.crashpoints import crashpoint
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from jobs.registry import Decided, Unit

WAIT_FOR_FETCH = timedelta(milliseconds=150)


@dataclass(frozen=True, slots=True)
class PostWork:
    """A create that may be sent until ``not_after`` (monotonic seconds) and never later: by then
    less of the lease would be left than the call may take. ``wish``: set if its price cap is to be
    checked against a fresh list right before.
    """

    request: CreateRequest
    permit: Permit
    not_after: float
    request_id: str = ""
    wish: Wish | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """The upstream id, or why there is none; none of them means that it was not sent.

    ``offer_lost``: the offer was looked at once more, and is no longer what was chosen.
    """

    calls: Sequence[CallRecord] = ()
    upstream_id: str = ""
    error: NovitaError | None = None
    offer_lost: str = ""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A wish with an offer from the cache."""

    job: Job
    ranking: Ranking
    cluster_id: str
    template: Template


def prepare(
    jobs: Sequence[Job], instances: Mapping[str, Instance]
) -> Sequence[Unit[PostWork] | Unit[FetchWork] | Decided]:
    """Choose from the cache and commit the intent; ask for what the cache lacks.

    Writes: instances (posted_at, offer) and the shared call budget, each in its own transaction.
    """
    now = database_now()
    late = [job for job in jobs if _is_late(instances[job.subject], now)]
    plans: list[_Plan] = []
    shelf = catalogue.Shelf()
    missing: dict[str, tuple[FetchWork, list[Job]]] = {}
    for job in (job for job in jobs if job not in late):
        found = _plan(job, instances[job.subject], shelf)
        if isinstance(found, _Plan):
            plans.append(found)
        else:
            missing.setdefault(found.key, (found, []))[1].append(job)
    shelf.book()
    parts: list[Unit[PostWork] | Unit[FetchWork] | Decided] = [
        _fetch(work, waiting) for work, waiting in missing.values()
    ]
    return [*parts, *_post(plans, instances), Decided({job.pk: _too_late(job) for job in late})]


def _is_late(instance: Instance, now: datetime) -> bool:
    return instance.start_deadline_at is not None and instance.start_deadline_at <= now


def _plan(job: Job, instance: Instance, shelf: catalogue.Shelf) -> _Plan | FetchWork:
    """An offer by the cache alone, or what must be fetched to find one. A template that lacks the
    port to be probed may have got it meanwhile.
    """
    template = shelf.template(instance.template_id)
    if template is not None and probe_failure(template, instance.readiness_probe):
        template = None
    place = shelf.place(instance.region)
    products = shelf.products(place.cluster.id, instance.billing_mode) if place else []
    if template is not None and place is not None and products:
        ranking = rank(
            products,
            wish_of(instance),
            place=place,
            refused=instance.refused_offers.items(),
        )
        if ranking.offers:
            return _Plan(job, ranking, place.cluster.id, template)
    return FetchWork(
        region=instance.region,
        billing_mode=instance.billing_mode,
        template_id=instance.template_id,
        product_name=instance.product_name,
        template=template,
        permit=Permit(0),
        request_id=job.request_id,
    )


def _too_late(job: Job) -> Outcome:
    last = f" Last error: {job.error}" if job.error else ""
    message = f"Could not be created before the start timeout.{last}"
    return given_up(Failure(FailureCode.STARTUP_TIMEOUT, message))


def _fetch(work: FetchWork, waiting: Sequence[Job]) -> Unit[FetchWork] | Decided:
    """One caller asks; those who want the same look into the cache again a moment later."""
    if not catalogue.claim_fetch(work.key):
        return Decided({job.pk: Again(WAIT_FOR_FETCH) for job in waiting})
    permit = gate.reserve(MOST_CALLS)
    if not permit.is_granted:
        catalogue.release_fetch(work.key)
        return Decided({job.pk: Again(permit.wait) for job in waiting})
    return Unit(waiting, replace(work, permit=permit))


def _post(
    plans: Sequence[_Plan], instances: Mapping[str, Instance]
) -> Sequence[Unit[PostWork] | Decided]:
    if not plans:
        return []
    # A burst of creates takes each call as it comes back: it must leave some to the watch, else
    # what has come to run is told late.
    permit = gate.reserve(
        sum(_calls(plan, instances) for plan in plans),
        at_least=_calls(plans[0], instances),
        is_spare=True,
    )
    go, wait = _as_far_as(permit, plans, instances)
    pause = permit.wait or gate.time_for(1)
    parts: list[Unit[PostWork] | Decided] = [Decided({p.job.pk: Again(pause) for p in wait})]
    mark = upstream.mark()
    crashpoint("create.before_intent")
    with transaction.atomic():
        ours = leasing.still_ours(plan.job for plan in go)
        locked = locked_instances(plan.job for plan in go)
        parts += [_intend(p, locked[p.job.subject], mark) for p in go if p.job.pk in ours]
    crashpoint("create.after_intent")
    return parts


def _calls(plan: _Plan, instances: Mapping[str, Instance]) -> int:
    """A capped price is looked up once more before the create."""
    return 1 if instances[plan.job.subject].max_price_per_hour_e5_usd is None else 2


def _as_far_as(
    permit: Permit, plans: Sequence[_Plan], instances: Mapping[str, Instance]
) -> tuple[Sequence[_Plan], Sequence[_Plan]]:
    left = permit.calls
    for number, plan in enumerate(plans):
        left -= _calls(plan, instances)
        if left < 0:
            return plans[:number], plans[number:]
    return plans, []


def _intend(plan: _Plan, instance: Instance, mark: Mark) -> Unit[PostWork] | Decided:
    """Write down that a create is about to be sent, and what it will say.

    Not for one that was ended meanwhile: whoever ended it relied on nothing being sent.
    """
    is_wanted = instance.status == InstanceStatus.CREATING
    if not is_wanted or instance.create_step != CreateStep.CHOOSE:
        return Decided({plan.job.pk: Again()})
    best = plan.ranking.offers[0]
    instance.product_id = best.product_id
    instance.price_e5_usd = best.price_e5_usd
    instance.cluster_id = plan.cluster_id
    instance.placement = explain(plan.ranking, wish_of(instance))
    instance.upstream_account = settings.CONFIG.upstream_account
    instance.upstream_name = mark.name(instance.name, instance.reference)
    instance.create_step = CreateStep.POST
    instance.posted_at = database_now()
    instance.lookup_count = 0
    instance.save()
    spare = leasing.LEASE.total_seconds() - settings.CONFIG.novita_timeout
    work = PostWork(
        request=create_request(instance, plan.template),
        permit=Permit(1 if instance.max_price_per_hour_e5_usd is None else 2),
        not_after=time.monotonic() + max(spare / 2, 0.5),
        request_id=plan.job.request_id,
        wish=None if instance.max_price_per_hour_e5_usd is None else wish_of(instance),
    )
    return Unit([plan.job], work)


def create_request(instance: Instance, template: Template) -> CreateRequest:
    """The template expanded: the upstream's create knows no template id."""
    return CreateRequest(
        name=instance.upstream_name,
        product_id=instance.product_id,
        gpu_num=instance.gpu_num,
        rootfs_size_gb=instance.rootfs_size_gb,
        image_url=template.image,
        image_auth_id=template.image_auth_id,
        ports=",".join(f"{port.port}/{port.type}" for port in template.ports),
        envs=template.envs,
        tools=template.tools,
        command=template.start_command,
        entrypoint=template.entrypoint,
        cluster_id=instance.cluster_id,
        billing_mode=instance.billing_mode,
        min_cuda_version=template.min_cuda_version,
    )


def talk(work: PostWork) -> Posted:
    if time.monotonic() > work.not_after:
        return Posted()
    client = upstream.client(work.permit, request_id=work.request_id)
    if work.wish is not None:
        checked = _check_price(client, work, work.wish)
        if checked is not None:
            return checked
    crashpoint("create.before_post")
    try:
        upstream_id = client.create_instance(work.request)
    except NovitaError as error:
        return Posted(client.calls, error=error)
    finally:
        crashpoint("create.after_post")
    return Posted(client.calls, upstream_id)


def _check_price(client: NovitaClient, work: PostWork, wish: Wish) -> Posted | None:
    """Why nothing is sent, if the price is no longer what the caller allows. The look takes its
    own time: afterwards the create may be too late.
    """
    request = work.request
    try:
        products = client.list_products(
            cluster_id=request.cluster_id, billing_mode=request.billing_mode
        )
    except NovitaError as error:
        return Posted(client.calls, error=error)
    price = price_in(products, request.product_id, request.billing_mode)
    if price is None:
        return Posted(client.calls, offer_lost="no longer offered")
    if (reason := above_cap(price, wish)) is not None:
        return Posted(client.calls, offer_lost=reason)
    return Posted(client.calls) if time.monotonic() > work.not_after else None
