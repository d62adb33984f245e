"""refresh_catalogue: keeps the products of the configured regions at hand; runs for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings

from instances import catalogue, gate, upstream
from instances.choices import BillingMode
from instances.gate import Permit
from instances.novita.calls import CallRecord
from instances.novita.errors import NovitaError
from instances.novita.types import Cluster, Product
from instances.regions import cluster_for
from jobs.models import Job
from jobs.outcomes import Again, Outcome
from jobs.registry import Decided, Handler, Unit


@dataclass(frozen=True, slots=True)
class Listed:
    """Products by cluster id and billing mode, as far as the upstream answered."""

    calls: Sequence[CallRecord]
    clusters: Sequence[Cluster] = ()
    products: Mapping[tuple[str, str], Sequence[Product]] = field(default_factory=dict)


class RefreshCatalogue(Handler[Permit, Listed]):
    """One listing of the clusters, one of the products for each region and billing mode."""

    def load(self, jobs: Sequence[Job]) -> Sequence[Unit[Permit] | Decided]:
        permit = gate.reserve(1 + len(settings.CONFIG.regions) * len(BillingMode))
        if not permit.is_granted:
            return [Decided({job.pk: Again(permit.wait) for job in jobs})]
        return [Unit(jobs, permit)]

    def talk(self, work: Permit) -> Listed:
        client = upstream.client(work)
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
            # What was listed before the error is still worth keeping; the gate learns of it.
            pass
        return Listed(client.calls, clusters, products)

    def book(self, talks: Sequence[tuple[Permit, Listed]]) -> None:
        gate.report((work, result.calls) for work, result in talks)

    def apply(self, jobs: Sequence[Job], work: Permit, result: Listed) -> Mapping[int, Outcome]:
        catalogue.keep_clusters(result.clusters)
        for (cluster_id, mode), products in result.products.items():
            catalogue.keep_products(cluster_id, mode, products)
        return {job.pk: Again(interval()) for job in jobs}


def interval() -> timedelta:
    """Before what is cached grows too old to be used."""
    return timedelta(seconds=settings.CONFIG.catalogue_ttl / 2)
