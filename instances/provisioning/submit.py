"""Sends a create: the intent is committed first, then the create is sent once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db import transaction

from core.clock import database_now
from instances.catalogue import cache
from instances.catalogue.placement import above_cap, explain, price_in
from instances.catalogue.ports import notes_on
from instances.domain.enums import CreateStep, InstanceStatus
from instances.domain.types import Failure, InstanceRequest
from instances.models import Instance
from instances.models.locking import locked_instances
from instances.novita import client_factory, limiter
from instances.novita.call_classes import CallClass
from instances.novita.limiter import Permit
from instances.novita.name_signing import NameSigner
from instances.provisioning import prefetch
from instances.provisioning.choose import Plan, choose
from instances.provisioning.common import given_up, spec_of
from instances.provisioning.prefetch import PrefetchWork
from instances.provisioning.waiting import too_late, wait_for_permit
from jobs.engine import leasing
from jobs.failpoints import failpoint
from jobs.handler import Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from upstream.call_records import CallRecord
from upstream.client import NovitaClient
from upstream.errors import NovitaError
from upstream.types import CreateRequest, Template


@dataclass(frozen=True, slots=True)
class SubmitWork:
    """A create. ``not_after`` (monotonic seconds): later, the job's lease may end before the call.
    ``spec``: set if its price cap must be checked against a fresh list first.
    """

    request: CreateRequest
    permit: Permit
    not_after: float
    request_id: str = ""
    spec: InstanceRequest | None = None


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """Novita's id or the error; with neither, the create was not sent.

    ``offer_lost``: the price check found that the offer has changed. ``failed_in_price_check``: the
    error is of the price check.
    """

    calls: Sequence[CallRecord] = ()
    upstream_id: str = ""
    error: NovitaError | None = None
    offer_lost: str = ""
    failed_in_price_check: bool = False


def prepare(
    jobs: Sequence[Job], instances: Mapping[str, Instance]
) -> Sequence[WorkItem[SubmitWork] | WorkItem[PrefetchWork] | Resolved]:
    """Choose offers from the cache and commit the intents; prefetch what the cache lacks.

    Writes instances (posted_at, offer) and the shared call budget, each in its own transaction.
    """
    now = database_now()
    late = [job for job in jobs if _is_late(instances[job.subject], now)]
    plans: list[Plan] = []
    reader = cache.CatalogueReader()
    # By project, since each takes its own turn.
    missing: dict[tuple[int, str], tuple[PrefetchWork, list[Job]]] = {}
    ended = {job.pk: given_up(too_late(instances[job.subject], job.error)) for job in late}
    for job in (job for job in jobs if job not in late):
        found = choose(job, instances[job.subject], reader)
        if isinstance(found, Plan):
            plans.append(found)
        elif isinstance(found, Failure):
            ended[job.pk] = given_up(found)
        else:
            key = (instances[job.subject].project_id, found.key)
            missing.setdefault(key, (found, []))[1].append(job)
    reader.record_usage()
    parts = prefetch.prepare(missing.values(), instances)
    return [*parts, *_post(plans, instances), Resolved(ended)]


def _is_late(instance: Instance, now: datetime) -> bool:
    return instance.start_deadline_at is not None and instance.start_deadline_at <= now


def _post(
    plans: Sequence[Plan], instances: Mapping[str, Instance]
) -> Sequence[WorkItem[SubmitWork] | Resolved]:
    if not plans:
        return []
    go, waiting = _permitted(plans, instances)
    parts: list[WorkItem[SubmitWork] | Resolved] = [Resolved(waiting)]
    signer = client_factory.name_signer()
    failpoint("create.before_intent")
    with transaction.atomic():
        ours = leasing.lock_owned(plan.job for plan in go)
        locked = locked_instances(plan.job for plan in go)
        parts += [_intend(p, locked[p.job.subject], signer) for p in go if p.job.pk in ours]
    failpoint("create.after_intent")
    return parts


def _permitted(
    plans: Sequence[Plan], instances: Mapping[str, Instance]
) -> tuple[Sequence[Plan], dict[int, Outcome]]:
    """The plans whose calls are permitted, and the outcomes of the others. By project: in turns."""
    by_project: dict[int, list[Plan]] = {}
    for plan in plans:
        by_project.setdefault(instances[plan.job.subject].project_id, []).append(plan)
    go: list[Plan] = []
    waiting: dict[int, Outcome] = {}
    for project_id, wanted in by_project.items():
        permit = limiter.reserve(
            sum(_calls(plan, instances) for plan in wanted),
            CallClass.CREATE,
            at_least=_calls(wanted[0], instances),
            project_id=project_id,
            is_create=True,
        )
        now, later = _as_far_as(permit, wanted, instances)
        go += now
        told = permit if permit.wait else replace(permit, wait=limiter.time_for(1))
        waiting |= wait_for_permit([plan.job for plan in later], instances, told)
    return go, waiting


def _calls(plan: Plan, instances: Mapping[str, Instance]) -> int:
    """Calls of a create: 2 with a price cap, for the check of the price; else 1."""
    return 1 if instances[plan.job.subject].max_price_per_hour_e5_usd is None else 2


def _as_far_as(
    permit: Permit, plans: Sequence[Plan], instances: Mapping[str, Instance]
) -> tuple[Sequence[Plan], Sequence[Plan]]:
    left = permit.calls
    for number, plan in enumerate(plans):
        left -= _calls(plan, instances)
        if left < 0:
            return plans[:number], plans[number:]
    return plans, []


def _intend(plan: Plan, instance: Instance, signer: NameSigner) -> WorkItem[SubmitWork] | Resolved:
    """Save that a create is about to be sent, and its offer.

    Not if the instance was ended in the meantime: its termination relies on nothing being sent.
    """
    is_wanted = instance.status == InstanceStatus.CREATING
    if not is_wanted or instance.create_step != CreateStep.CHOOSE:
        return Resolved({plan.job.pk: Again()})
    best = plan.ranking.offers[0]
    instance.product_id = best.product_id
    instance.price_e5_usd = best.price_e5_usd
    instance.cluster_id = plan.cluster_id
    instance.rootfs_size_gb = plan.spec.rootfs_size_gb
    instance.placement = explain(plan.ranking, plan.spec)
    if notes := notes_on(plan.template, plan.spec):
        instance.placement["notes"] = [text for _, text, _ in notes]
    instance.upstream_account = settings.CONFIG.upstream_account
    instance.upstream_name = signer.name(instance.name, instance.reference)
    instance.create_step = CreateStep.POST
    instance.posted_at = database_now()
    instance.lookup_count = 0
    instance.save()
    spare = leasing.LEASE.total_seconds() - settings.CONFIG.novita_timeout
    work = SubmitWork(
        request=create_request(instance, plan.template),
        permit=Permit(1 if instance.max_price_per_hour_e5_usd is None else 2),
        not_after=time.monotonic() + max(spare / 2, 0.5),
        request_id=plan.job.request_id,
        spec=None if instance.max_price_per_hour_e5_usd is None else spec_of(instance),
    )
    return WorkItem([plan.job], work)


def create_request(instance: Instance, template: Template) -> CreateRequest:
    """The create with the template's fields: Novita's create takes no template id."""
    return CreateRequest(
        name=instance.upstream_name,
        product_id=instance.product_id,
        gpu_num=instance.gpu_num,
        rootfs_size_gb=instance.rootfs_size_gb,
        image_url=template.image,
        image_auth_id=template.image_auth_id,
        image_auth=template.image_auth,
        ports=",".join(f"{port.port}/{port.type}" for port in template.ports),
        envs=template.envs,
        tools=template.tools,
        command=template.start_command,
        entrypoint=template.entrypoint,
        cluster_id=instance.cluster_id,
        billing_mode=instance.billing_mode,
        min_cuda_version=template.min_cuda_version,
    )


def call(work: SubmitWork) -> SubmitResult:
    if time.monotonic() > work.not_after:
        return SubmitResult()
    client = client_factory.client(work.permit, request_id=work.request_id)
    if work.spec is not None:
        failed = _check_price(client, work, work.spec)
        if failed is not None:
            return failed
    failpoint("create.before_post")
    try:
        upstream_id = client.create_instance(work.request)
    except NovitaError as error:
        return SubmitResult(client.calls, error=error)
    finally:
        failpoint("create.after_post")
    return SubmitResult(client.calls, upstream_id)


def _check_price(
    client: NovitaClient, work: SubmitWork, spec: InstanceRequest
) -> SubmitResult | None:
    """Why nothing is sent if the price now exceeds the cap; None: send the create.

    The check takes time, so the deadline ``not_after`` is checked again.
    """
    request = work.request
    try:
        products = client.list_products(
            cluster_id=request.cluster_id, billing_mode=request.billing_mode
        )
    except NovitaError as error:
        return SubmitResult(client.calls, error=error, failed_in_price_check=True)
    price = price_in(products, request.product_id, request.billing_mode)
    if price is None:
        return SubmitResult(client.calls, offer_lost="no longer offered")
    if (reason := above_cap(price, spec)) is not None:
        return SubmitResult(client.calls, offer_lost=reason)
    return SubmitResult(client.calls) if time.monotonic() > work.not_after else None
