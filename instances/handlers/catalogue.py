"""refresh_catalogue: reads clusters, products and templates into the cache; recurring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings

from instances.catalogue import browse, cache
from instances.catalogue.regions import cluster_for, place_of, tell_unknown_regions
from instances.domain.enums import BillingMode
from instances.novita import client_factory, limiter
from instances.novita.call_classes import CallClass
from instances.novita.limiter import Permit
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from upstream.call_records import CallRecord
from upstream.client import NovitaClient
from upstream.errors import NovitaError
from upstream.types import Cluster, Product, Template


@dataclass(frozen=True, slots=True)
class Listed:
    """Products by cluster id and billing mode, as far as Novita answered."""

    calls: Sequence[CallRecord]
    clusters: Sequence[Cluster] = ()
    products: Mapping[tuple[str, str], Sequence[Product]] = field(default_factory=dict)
    templates: Sequence[Template] = ()


@dataclass(frozen=True, slots=True)
class Errand:
    """What to read, and the permit for it."""

    permit: Permit
    with_templates: bool


# Templates change rarely: read less often, at most some hundreds.
TEMPLATES_EVERY = timedelta(minutes=5)
TEMPLATE_PAGES = 3
CHANNELS = ("private", "official")


class RefreshCatalogue(Handler[Errand, Listed]):
    """Reads the clusters, the products of each region and mode, and the templates when due."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Errand] | Resolved]:
        least = 1 + len(settings.CONFIG.regions) * len(BillingMode)
        is_due = browse.are_templates_older_than(TEMPLATES_EVERY)
        more = len(CHANNELS) * TEMPLATE_PAGES if is_due else 0
        # WATCH: from this cache, creates of unknown products are refused without a call.
        permit = limiter.reserve(least + more, CallClass.WATCH, at_least=least)
        if not permit.is_granted:
            return [Resolved({job.pk: Again(permit.wait) for job in jobs})]
        return [WorkItem(jobs, Errand(permit, is_due and permit.calls > least))]

    def call(self, work: Errand) -> Listed:
        client = client_factory.client(work.permit)
        products: dict[tuple[str, str], Sequence[Product]] = {}
        clusters: Sequence[Cluster] = ()
        try:
            clusters = client.list_clusters()
            found = (cluster_for(region, clusters) for region in settings.CONFIG.regions)
            for cluster_id in sorted({cluster.id for cluster in found if cluster}):
                for mode in BillingMode:
                    listed = client.list_products(cluster_id=cluster_id, billing_mode=mode)
                    products[cluster_id, mode] = listed
        except NovitaError:
            # Products read before the error are saved; the limiter gets the error.
            pass
        templates = _list_templates(client) if work.with_templates else ()
        return Listed(client.calls, clusters, products, templates)

    def record_usage(self, calls: Sequence[tuple[Errand, Listed]]) -> None:
        limiter.report((work.permit, result.calls) for work, result in calls)

    def apply(self, jobs: Sequence[Job], work: Errand, result: Listed) -> Mapping[int, Outcome]:
        cache.keep_clusters(result.clusters)
        by_id = {cluster.id: cluster for cluster in result.clusters}
        for (cluster_id, mode), products in result.products.items():
            cache.keep_products(cluster_id, mode, products)
            tell_unknown_regions(place_of(by_id[cluster_id], result.clusters), products)
        browse.keep_templates(result.templates)
        return {job.pk: Again(interval()) for job in jobs}


def _list_templates(client: NovitaClient) -> Sequence[Template]:
    """All templates or none: a partial list would delete the others from the cache."""
    found: list[Template] = []
    try:
        for channel in CHANNELS:
            found += client.list_templates(channel=channel, max_pages=TEMPLATE_PAGES)
    except NovitaError:
        return ()
    return found


def interval() -> timedelta:
    """Half of CATALOGUE_TTL, so that cached products do not expire."""
    return timedelta(seconds=settings.CONFIG.catalogue_ttl / 2)
