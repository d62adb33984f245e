"""Reads from Novita what the catalogue cache lacks for a create, once for all jobs that need it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from instances.catalogue import allowed_templates, cache, misses
from instances.catalogue.placement import ABOVE_CAP, SOLD_OUT, Ranking, rank
from instances.catalogue.ports import probe_failure, sized
from instances.catalogue.regions import cluster_for, place_of, tell_unknown_regions
from instances.domain.enums import FailureCode, Hold
from instances.domain.types import DEFAULT_ROOTFS_GB, Failure, InstanceRequest
from instances.models import Instance
from instances.models.locking import instances_of, locked_instances
from instances.novita import client_factory, limiter
from instances.novita.call_classes import CallClass
from instances.novita.limiter import Permit
from instances.provisioning import unknown
from instances.provisioning.common import given_up, spec_of
from instances.provisioning.rejection import rejected
from instances.provisioning.templates import MOST_CALLS, read_template
from instances.provisioning.waiting import wait_for, wait_for_permit
from jobs.handler import Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from upstream.call_records import CallRecord
from upstream.client import NovitaClient
from upstream.errors import Blame, NovitaError, UnreadableAnswer
from upstream.types import Cluster, Product, Template

WAIT_FOR_FETCH = timedelta(milliseconds=150)


class Reads(StrEnum):
    """What a prefetch reads.

    What may not exist at all is read alone, with calls of class OTHER: creates of known things
    never wait for it.
    """

    ALL = "all"
    # For a product that the fresh list lacks: the list again, and where the product is sold.
    PRODUCTS = "products"
    # For a template that Novita never listed or returned, or that does not fit the request.
    TEMPLATE = "template"


# ALL: clusters, products of the cluster, products of all clusters in two modes, template,
# registries.
_CALLS = {Reads.ALL: 6, Reads.PRODUCTS: 4, Reads.TEMPLATE: MOST_CALLS}


@dataclass(frozen=True, slots=True)
class PrefetchWork:
    """What a group of requests has in common; ``template`` is set if the cache has it."""

    region: str
    billing_mode: str
    template_id: str
    product_name: str
    template: Template | None
    permit: Permit
    request_id: str = ""
    reads: Reads = Reads.ALL
    # By the cache; applies if no call is permitted for it.
    verdict: Failure | None = None

    @property
    def key(self) -> str:
        """What requests have in common that one result answers."""
        key = f"{self.region}:{self.billing_mode}:{self.template_id}:{self.product_name}"
        key += "" if self.template is None else ":cached"
        key += "" if self.reads is Reads.ALL else f":{self.reads}"
        return hashlib.sha256(key.encode()).hexdigest()[:32]

    @property
    def claim(self) -> str:
        """What one caller reads while others wait: all products at once, or a template."""
        match self.reads:
            case Reads.ALL:
                return self.key
            case Reads.PRODUCTS:
                key = f"{self.reads}:{self.region}:{self.billing_mode}"
            case Reads.TEMPLATE:
                key = f"{self.reads}:{self.template_id}"
        return hashlib.sha256(key.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class PrefetchResult:
    """Result: data, a failure that is final for these requests, or an error that may pass."""

    calls: Sequence[CallRecord]
    clusters: Sequence[Cluster] = ()
    cluster: Cluster | None = None
    products: Sequence[Product] = ()
    elsewhere: Sequence[Product] = ()
    template: Template | None = None
    template_failure: Failure | None = None
    failure: Failure | None = None
    error: NovitaError | None = None


Refused = dict[tuple[Reads, int], tuple[Permit, int]]


def prepare(
    groups: Iterable[tuple[PrefetchWork, Sequence[Job]]], instances: Mapping[str, Instance]
) -> list[WorkItem[PrefetchWork] | Resolved]:
    """Reserve the calls of each work; one job asks, others that need the same wait for it."""
    refused: Refused = {}
    return [_prepare(work, jobs, instances, refused) for work, jobs in groups]


def _prepare(
    work: PrefetchWork, jobs: Sequence[Job], instances: Mapping[str, Instance], refused: Refused
) -> WorkItem[PrefetchWork] | Resolved:
    queue = (work.reads, instances[jobs[0].subject].project_id)
    if queue in refused:
        permit, before = refused[queue]
    elif not cache.claim_fetch(work.claim):
        return Resolved({job.pk: Again(WAIT_FOR_FETCH) for job in jobs})
    else:
        permit, before = _reserve(work, queue[1]), 0
    if permit.is_granted:
        return WorkItem(jobs, replace(work, permit=permit))
    if not before:
        cache.release_fetch(work.claim)
    refused[queue] = permit, before + _CALLS[work.reads]
    if work.verdict is not None and permit.hold == Hold.NONE:
        return Resolved({job.pk: given_up(work.verdict) for job in jobs})
    later = replace(permit, wait=permit.wait + limiter.time_of(before))
    return Resolved(wait_for_permit(jobs, instances, later))


def _reserve(work: PrefetchWork, project_id: int) -> Permit:
    """A search for a product takes no turn: without a permit, the cache decides."""
    return limiter.reserve(
        _CALLS[work.reads],
        CallClass.CREATE if work.reads is Reads.ALL else CallClass.OTHER,
        project_id=None if work.reads is Reads.PRODUCTS else project_id,
        is_create=True,
    )


def call(work: PrefetchWork) -> PrefetchResult:
    client = client_factory.client(work.permit, request_id=work.request_id)
    try:
        return _fetch(client, work)
    except NovitaError as error:
        return PrefetchResult(client.calls, error=error)


def _fetch(client: NovitaClient, work: PrefetchWork) -> PrefetchResult:
    if work.reads is Reads.TEMPLATE:
        template, problem = read_template(client, work.template_id)
        return PrefetchResult(client.calls, template=template, template_failure=problem)
    clusters = client.list_clusters()
    if not clusters:
        raise UnreadableAnswer("Novita lists no cluster at all")
    cluster = cluster_for(work.region, clusters)
    if cluster is None:
        return PrefetchResult(client.calls, clusters, failure=_no_cluster(work, clusters))
    template, problem = work.template, None
    if template is None and work.reads is Reads.ALL:
        template, problem = read_template(client, work.template_id)
    products = client.list_products(cluster_id=cluster.id, billing_mode=work.billing_mode)
    elsewhere: Sequence[Product] = ()
    failure = None
    if problem is None and not unknown.has(products, work.product_name):
        elsewhere = _list_elsewhere(client, work)
        as_what = f"{work.billing_mode} in {work.region} ({cluster.name})"
        sold = unknown.sold(elsewhere)
        failure = unknown.not_sold(sold, name=work.product_name, as_what=as_what)
    return PrefetchResult(
        client.calls, clusters, cluster, products, elsewhere, template, problem, failure
    )


def _no_cluster(work: PrefetchWork, clusters: Sequence[Cluster]) -> Failure:
    names = ", ".join(sorted(item.name for item in clusters))
    return Failure(
        FailureCode.NO_OPTIMAL_PRODUCT,
        f"Novita lists no cluster for region {work.region}; it lists {names}.",
    )


def _list_elsewhere(client: NovitaClient, work: PrefetchWork) -> Sequence[Product]:
    """Products of all clusters. Raises UnreadableAnswer if nothing is sold."""
    anywhere = [*client.list_products(billing_mode=work.billing_mode), *client.list_products()]
    if not anywhere:
        raise UnreadableAnswer("Novita lists no product at all")
    return anywhere


def apply(jobs: Sequence[Job], work: PrefetchWork, result: PrefetchResult) -> Mapping[int, Outcome]:
    cache.release_fetch(work.claim)
    if result.error is not None:
        return _after_error(jobs, work, result.error, result.calls)
    cache.keep_clusters(result.clusters)
    if result.cluster is not None:
        cache.keep_products(result.cluster.id, work.billing_mode, result.products)
        tell_unknown_regions(place_of(result.cluster, result.clusters), result.products)
        if result.elsewhere:
            misses.keep_search(result.cluster.id, work.billing_mode, result.elsewhere)
    if result.template is not None and work.template is None:
        cache.keep_template(work.template_id, result.template)
    if result.template_failure is not None:
        misses.keep_template_failure(work.template_id, result.template_failure)
    instances = instances_of(jobs)
    return {job.pk: _evaluate(instances[job.subject], work, result) for job in jobs}


def _after_error(
    jobs: Sequence[Job], work: PrefetchWork, error: NovitaError, calls: Sequence[CallRecord]
) -> Mapping[int, Outcome]:
    """Only products and templates depend on the request; other calls' errors are not its fault."""
    is_asked_for = bool(calls) and calls[-1].endpoint in ("list_products", "get_template")
    if error.belongs_to is Blame.REQUEST and is_asked_for:
        if calls[-1].endpoint == "get_template":
            misses.keep_template_failure(work.template_id, rejected(error))
        return {job.pk: given_up(rejected(error)) for job in jobs}
    instances = locked_instances(jobs)
    return {job.pk: wait_for(job, instances[job.subject], error) for job in jobs}


def _evaluate(instance: Instance, work: PrefetchWork, result: PrefetchResult) -> Outcome:
    """Fail a request that fresh data cannot place; the others are submitted in the next run."""
    failed = result.template_failure or result.failure
    if failed is not None:
        return given_up(failed)
    if result.template is not None:
        failure = allowed_templates.refusal(instance.project, result.template) or probe_failure(
            result.template, instance.readiness_probe
        )
        if failure is not None:
            return given_up(failure)
    if work.reads is not Reads.ALL or result.cluster is None:
        # The rest comes from the cache.
        return Again()
    spec = spec_of(instance)
    if result.template is not None:
        spec = sized(spec, result.template)
    place = place_of(result.cluster, result.clusters)
    ranking = rank(result.products, spec, place=place, refused=instance.refused_offers.items())
    if ranking.offers:
        return Again()
    return given_up(_nothing_fits(spec, ranking, refused=instance.refused_offers))


def _nothing_fits(
    spec: InstanceRequest, ranking: Ranking, *, refused: Mapping[str, str]
) -> Failure:
    """Failure by cause: sold out on create, above the price cap, refused, or no fitting offer."""
    tried = [refused[item.product_id] for item in ranking.rejections if item.product_id in refused]
    if any(reason.startswith(SOLD_OUT) for reason in tried):
        code, what = FailureCode.INSUFFICIENT_RESOURCE, "is sold out"
    elif any(item.reason.startswith(ABOVE_CAP) for item in ranking.rejections):
        code, what = FailureCode.PRICE_ABOVE_CAP, "costs more than is allowed"
    elif tried:
        code, what = FailureCode.UPSTREAM_REJECTED, "was refused by Novita"
    else:
        code, what = FailureCode.NO_OPTIMAL_PRODUCT, "has no offer that fits"
    reasons = "; ".join(f"{item.product_id}: {item.reason}" for item in ranking.rejections[:10])
    message = f"{spec.product_name} {what} in {spec.region} as {spec.billing_mode} ({reasons})."
    if spec.has_default_rootfs and spec.rootfs_size_gb > DEFAULT_ROOTFS_GB:
        message += f" The template requires {spec.rootfs_size_gb} GB of root disk."
    return Failure(code, message)
