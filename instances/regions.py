"""Region codes of this API and the upstream clusters that the configuration maps them to."""

from collections.abc import Iterable

from django.conf import settings

from instances.novita.types import Cluster
from instances.placement import is_place


def cluster_for(region: str, clusters: Iterable[Cluster]) -> Cluster | None:
    """The cluster of a region: by its id if configured and listed, else by its display name."""
    place = settings.CONFIG.regions.get(region)
    if place is None:
        return None
    listed = list(clusters)
    by_id = (cluster for cluster in listed if place.cluster and cluster.id == place.cluster)
    by_name = (cluster for cluster in listed if place.name and is_place(cluster.name, place.name))
    return next(by_id, None) or next(by_name, None)
