"""Reads from Novita what the catalogue cache lacks for a create, once for all jobs that need it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from instances.catalogue import allowed_templates, cache
from instances.catalogue.placement import ABOVE_CAP, SOLD_OUT, Ranking, is_same_name, rank
from instances.catalogue.ports import probe_failure, sized
from instances.catalogue.regions import cluster_for, place_of, tell_unknown_regions
from instances.domain.enums import FailureCode
from instances.domain.types import DEFAULT_ROOTFS_GB, Failure, InstanceRequest
from instances.models import Instance
from instances.models.locking import instances_of, locked_instances
from instances.novita import client_factory
from instances.novita.limiter import Permit
from instances.provisioning.common import given_up, spec_of
from instances.provisioning.rejection import rejected
from instances.provisioning.templates import read_template
from instances.provisioning.waiting import wait_for
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from upstream.call_records import CallRecord
from upstream.client import NovitaClient
from upstream.errors import Blame, NovitaError, UnreadableAnswer
from upstream.types import Cluster, Product, Template

# Clusters, products of the cluster, products of all clusters in two modes, template, registries.
MOST_CALLS = 6
_NO_CLUSTER = Failure(
    FailureCode.NO_OPTIMAL_PRODUCT, "Novita lists no cluster for the region of the request."
)


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

    @property
    def key(self) -> str:
        key = f"{self.region}:{self.billing_mode}:{self.template_id}:{self.product_name}"
        key += "" if self.template is None else ":cached"
        return hashlib.sha256(key.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class PrefetchResult:
    """Result: data, a failure that is final for these requests, or an error that may pass."""

    calls: Sequence[CallRecord]
    clusters: Sequence[Cluster] = ()
    cluster: Cluster | None = None
    products: Sequence[Product] = ()
    template: Template | None = None
    failure: Failure | None = None
    error: NovitaError | None = None


def call(work: PrefetchWork) -> PrefetchResult:
    client = client_factory.client(work.permit, request_id=work.request_id)
    try:
        return _fetch(client, work)
    except NovitaError as error:
        return PrefetchResult(client.calls, error=error)


def _fetch(client: NovitaClient, work: PrefetchWork) -> PrefetchResult:
    clusters = client.list_clusters()
    if not clusters:
        raise UnreadableAnswer("Novita lists no cluster at all")
    cluster = cluster_for(work.region, clusters)
    if cluster is None:
        names = ", ".join(sorted(item.name for item in clusters))
        failure = Failure(
            FailureCode.NO_OPTIMAL_PRODUCT,
            f"Novita lists no cluster for region {work.region}; it lists {names}.",
        )
        return PrefetchResult(client.calls, clusters, failure=failure)
    template, problem = work.template, None
    if template is None:
        template, problem = read_template(client, work.template_id)
    products = client.list_products(cluster_id=cluster.id, billing_mode=work.billing_mode)
    if problem is None and not _has(products, work.product_name):
        problem = _not_sold_here(client, work, cluster)
    return PrefetchResult(client.calls, clusters, cluster, products, template, problem)


def _not_sold_here(client: NovitaClient, work: PrefetchWork, cluster: Cluster) -> Failure:
    """Failure: unknown product, or sold elsewhere. Raises UnreadableAnswer if nothing is sold."""
    anywhere = [*client.list_products(billing_mode=work.billing_mode), *client.list_products()]
    if not anywhere:
        raise UnreadableAnswer("Novita lists no product at all")
    known = [product for product in anywhere if is_same_name(product.name, work.product_name)]
    if not known:
        message = f"Novita has no product named {work.product_name}."
        return Failure(FailureCode.PRODUCT_NOT_FOUND, message)
    places = sorted({place for product in known for place in product.regions}) or ["no region"]
    message = (
        f"{work.product_name} is not sold as {work.billing_mode} in {work.region} "
        f"({cluster.name}); it is listed for {', '.join(places)}."
    )
    return Failure(FailureCode.NO_OPTIMAL_PRODUCT, message)


def _has(products: Sequence[Product], name: str) -> bool:
    return any(is_same_name(product.name, name) for product in products)


def apply(jobs: Sequence[Job], work: PrefetchWork, result: PrefetchResult) -> Mapping[int, Outcome]:
    cache.release_fetch(work.key)
    if result.error is not None:
        return _after_error(jobs, result.error, result.calls)
    cache.keep_clusters(result.clusters)
    if result.cluster is not None:
        cache.keep_products(result.cluster.id, work.billing_mode, result.products)
        tell_unknown_regions(place_of(result.cluster, result.clusters), result.products)
    if result.template is not None and work.template is None:
        cache.keep_template(work.template_id, result.template)
    instances = instances_of(jobs)
    return {job.pk: _evaluate(instances[job.subject], result) for job in jobs}


def _after_error(
    jobs: Sequence[Job], error: NovitaError, calls: Sequence[CallRecord]
) -> Mapping[int, Outcome]:
    """Only products and templates depend on the request; other calls' errors are not its fault."""
    is_asked_for = bool(calls) and calls[-1].endpoint in ("list_products", "get_template")
    if error.belongs_to is Blame.REQUEST and is_asked_for:
        return {job.pk: given_up(rejected(error)) for job in jobs}
    instances = locked_instances(jobs)
    return {job.pk: wait_for(job, instances[job.subject], error) for job in jobs}


def _evaluate(instance: Instance, result: PrefetchResult) -> Outcome:
    """Fail a request that fresh data cannot place; the others are submitted in the next run."""
    if result.failure is not None or result.cluster is None:
        return given_up(result.failure or _NO_CLUSTER)
    if result.template is not None:
        failure = allowed_templates.refusal(instance.project, result.template) or probe_failure(
            result.template, instance.readiness_probe
        )
        if failure is not None:
            return given_up(failure)
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
