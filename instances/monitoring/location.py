"""Follows an instance that Novita moves to another cluster under the same id.

``region`` and ``cluster_id`` of the row are the present place. A get by id decides that it moved. A
list only causes a get by id; for a stopped instance, two lists in a row decide.
"""

import hashlib
from datetime import datetime

from django.conf import settings

from instances.catalogue.regions import cluster_for
from instances.domain.enums import InstanceStatus
from instances.domain.types import Cause
from instances.lifecycle import addresses
from instances.lifecycle.transitions import record_event
from instances.models import Instance
from instances.monitoring.observation import Observation
from upstream.facts import Fact
from upstream.types import Cluster, UpstreamInstance


def follow(instance: Instance, observation: Observation, cause: Cause, now: datetime) -> None:
    """Update the place. Call first: after a move, the addresses of the old place are deleted."""
    seen = observation.seen
    place = _place(seen) if seen is not None else None
    if seen is None or place is None:
        return
    if not instance.cluster_id:
        instance.cluster_id = place.id
        return
    if not _is_elsewhere(instance, place):
        _forget_doubt(instance)
    elif observation.has_details or _is_told_again(instance, place):
        _move(instance, place, cause, now)


def place_in_doubt(instance: Instance, seen: UpstreamInstance) -> str:
    """Cluster id in which a list shows a running instance, if it is not the known one; else ""."""
    place = _place(seen)
    return place.id if place is not None and _is_elsewhere(instance, place) else ""


def _place(seen: UpstreamInstance) -> Cluster | None:
    """The cluster in an answer; some answers contain only its display name."""
    if Fact.CLUSTER not in seen.facts or not (seen.cluster_id or seen.cluster_name):
        return None
    if seen.status == "migrating":
        # The target is known only after the migration.
        return None
    return Cluster(seen.cluster_id or _id_of(seen.cluster_name), seen.cluster_name)


def _id_of(name: str) -> str:
    code = _region_of(Cluster("", name))
    place = settings.CONFIG.regions.get(code) if code else None
    return (place.cluster if place is not None else "") or name


def _is_elsewhere(instance: Instance, place: Cluster) -> bool:
    known = instance.cluster_id.strip().casefold()
    return known not in (place.id.strip().casefold(), place.name.strip().casefold())


def _region_of(place: Cluster) -> str:
    """The region code that is configured for a cluster, or ""."""
    codes = settings.CONFIG.regions
    return next((code for code in codes if cluster_for(code, [place]) is not None), "")


def _move(instance: Instance, place: Cluster, cause: Cause, now: datetime) -> None:
    before = {"region": instance.region, "cluster": instance.cluster_id}
    addresses.forget(instance)
    instance.cluster_id = place.id
    instance.region = (_region_of(place) or place.name or place.id)[:60]
    data = {"from": before, "to": {"region": instance.region, "cluster": instance.cluster_id}}
    message = f"Novita shows it in {place.name or place.id}"
    because = Cause(cause.actor, message, cause.request_id, cause.job_id)
    record_event(instance, "instance.moved", cause=because, now=now, data=data, is_told=True)


def _is_told_again(instance: Instance, place: Cluster) -> bool:
    """Whether a second list shows a stopped instance there; gets by id are not made for those."""
    if instance.status != InstanceStatus.STOPPED:
        return False
    is_again = instance.details_doubt == _digest(place)
    instance.details_doubt = _digest(place)
    return is_again


def _forget_doubt(instance: Instance) -> None:
    if instance.status == InstanceStatus.STOPPED:
        instance.details_doubt = ""


def _digest(place: Cluster) -> str:
    return hashlib.sha256(f"cluster {place.id}".encode()).hexdigest()[:16]
