"""Maps this API's region codes to Novita's clusters, by the configuration."""

from collections.abc import Iterable, Sequence

import structlog
from django.conf import settings

from instances.catalogue.place_names import Place, is_cluster
from upstream.types import Cluster, Product

logger = structlog.get_logger()
_told: set[tuple[str, str]] = set()
MOST_TOLD = 1000


def cluster_for(region: str, clusters: Iterable[Cluster]) -> Cluster | None:
    """Cluster of a region: by its configured id if listed, else by name; None if not found."""
    place = settings.CONFIG.regions.get(region)
    if place is None:
        return None
    listed = list(clusters)
    by_id = (cluster for cluster in listed if place.cluster and cluster.id == place.cluster)
    spelled = [name for name in (place.cluster, place.name) if name]
    by_name = (each for name in spelled for each in listed if is_cluster(name, each))
    return next(by_id, None) or next(by_name, None)


def place_of(cluster: Cluster, clusters: Iterable[Cluster]) -> Place:
    """A cluster, with all listed clusters."""
    return Place(cluster, tuple(clusters))


def tell_unknown_regions(place: Place, products: Sequence[Product]) -> None:
    """Log each place name that matches no cluster, once per process.

    Such a name does not exclude the product; the line shows that Novita's spelling changed.
    """
    for product in products:
        for name in place.unknown_names(product.regions):
            key = (place.cluster.id, name)
            if key not in _told and len(_told) < MOST_TOLD:
                _told.add(key)
                logger.warning(
                    "product_region_unknown",
                    cluster_id=place.cluster.id,
                    region=name[:100],
                    product_id=product.id,
                )
