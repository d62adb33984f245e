"""Moves to another node or cluster: requested while stopped, or by the service itself.

The id stays; addresses, ports and passwords are new. A move that fails leaves the instance in
`migrating`, and only the list of jobs shows the failure.
"""

from __future__ import annotations

from devtools.simulator.errors import ControlError, refused
from devtools.simulator.world.records import Instance
from devtools.simulator.world.upstream_jobs import MIGRATE, MOVE, add_job, fail_moves
from devtools.simulator.world.world import World


def migrate(world: World, instance: Instance, now_ms: int) -> None:
    """On request: the same cluster if it has room, else the one with the most."""
    roomy = _roomy(world, instance)
    if not roomy:
        raise refused("MIGRATE_INSUFFICIENT_RESOURCE", "no resource to migrate to")
    if instance.cluster_id not in roomy:
        roomiest = max(roomy, key=lambda cluster_id: roomy[cluster_id])
        world.relocate(instance, roomiest)
    _walk(world, instance, now_ms, MIGRATE, world.settings.migration_failure)


def move(world: World, instance: Instance, now_ms: int, cluster_id: str, failure: str) -> None:
    """By the service: a running instance goes to a given cluster, or to any other with room."""
    if cluster_id and cluster_id not in world.clusters:
        raise ControlError(f"no cluster {cluster_id}")
    others = [place for place in _roomy(world, instance) if place != instance.cluster_id]
    world.relocate(instance, cluster_id or next(iter(others), instance.cluster_id))
    _walk(world, instance, now_ms, MOVE, failure or world.settings.migration_failure)


def fail_move(world: World, instance: Instance, now_ms: int, failure: str) -> None:
    """The present move (or one that begins now) fails: the instance stays `migrating`."""
    if instance.status(now_ms) != "migrating":
        add_job(world, now_ms, MOVE, instance.id, 0, failure=failure)
    fail_moves(world, now_ms, instance.id, failure)
    world.replan(instance, now_ms, [(0, "migrating")])


def _walk(world: World, instance: Instance, now_ms: int, kind: str, failure: str) -> None:
    seconds = world.settings.migrate_seconds
    add_job(world, now_ms, kind, instance.id, seconds, failure=failure)
    instance.moves += 1
    after = [] if failure else [(round(seconds * 1000), "running")]
    world.replan(instance, now_ms, [(0, "migrating"), *after])


def _roomy(world: World, instance: Instance) -> dict[str, int]:
    """Free stock of each cluster that could take it."""
    product = world.products[instance.product_id]
    free = {
        cluster_id: world.stock.free(product, cluster_id, instance.billing_mode, buying=True)
        for cluster_id in product.capacity
    }
    return {place: count for place, count in free.items() if count >= instance.units()}
