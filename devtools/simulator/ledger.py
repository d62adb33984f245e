"""The true state of an instance, to check the records of a client against."""

from __future__ import annotations

from devtools.simulator.http import Json
from devtools.simulator.world.records import Instance
from devtools.simulator.world.timeline import DAY_MS, REMOVAL, charged_ms, cut, first_entered_ms


def instance_truth(instance: Instance, now_ms: int) -> Json:
    """Times in simulated milliseconds, cost in 1/100,000 USD (rounded down)."""
    status = instance.status(now_ms)
    return {
        "id": instance.id,
        "name": instance.name,
        "origin": instance.origin,
        "kind": instance.kind,
        "productId": instance.product_id,
        "clusterId": instance.cluster_id,
        "gpuNum": instance.gpu_num,
        "image": instance.image,
        "billingMode": instance.billing_mode,
        "priceE5Usd": instance.price_e5,
        "status": status,
        "isAlive": status not in REMOVAL,
        "spotStatus": instance.spot_state(now_ms)[0],
        "statusError": instance.error(now_ms)[1],
        "createdMs": instance.created_ms,
        "firstRunningMs": first_entered_ms(instance.timeline, "running", now_ms),
        "removedMs": first_entered_ms(instance.timeline, "removed", now_ms),
        "billedMs": charged_ms(instance.timeline, now_ms),
        "billedSeconds": charged_ms(instance.timeline, now_ms) // 1000,
        "costE5Usd": instance.cost_scaled(0, now_ms) // DAY_MS,
        "autoMigrate": instance.auto_migrate,
        "moves": instance.moves,
        "imageAuth": instance.image_auth,
        "phases": [[p.at_ms, p.status] for p in cut(instance.timeline, now_ms)],
    }
