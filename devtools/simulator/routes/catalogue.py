"""Clusters and products."""

from __future__ import annotations

from devtools.simulator.errors import invalid
from devtools.simulator.forms import REGIONS, cluster_name, price, word
from devtools.simulator.http import Json, Request, Routes
from devtools.simulator.world.creation import subscription_e5
from devtools.simulator.world.records import Product
from devtools.simulator.world.world import World

MODES = ("onDemand", "monthly", "spot")


def clusters(world: World, now_ms: int, request: Request) -> Json:
    return {
        "data": [
            {
                "id": cluster.id,
                "name": cluster_name(world, cluster),
                "availableGpuType": sorted(
                    {p.name for p in world.products.values()
                     if p.kind == "gpu" and cluster.id in p.capacity}
                ),
                "supportNetworkStorage": cluster.has_network_storage,
                "supportInstanceNetwork": cluster.has_networks,
            }
            for cluster in world.clusters.values()
        ]
    }  # fmt: skip


def products(world: World, now_ms: int, request: Request) -> Json:
    mode = request.text("billingMethod") or "onDemand"
    if mode not in MODES:
        raise invalid("billingMethod", "value must be in list [onDemand monthly spot]")
    gpu_num = request.number("gpuNum")
    if gpu_num > 8:
        raise invalid("gpuNum", "value must be inside range [0, 8]")
    cluster_id = request.text("clusterId")
    return {
        "data": [
            product_row(world, product, cluster_id, mode, gpu_num or 1)
            for product in world.products.values()
            if product.kind == "gpu" and _fits(product, request, cluster_id, mode)
        ]
    }


def _fits(product: Product, request: Request, cluster_id: str, mode: str) -> bool:
    return (
        mode in product.billing_modes
        and (not cluster_id or cluster_id in product.capacity)
        and request.text("productName").lower() in product.name.lower()
        and product.cpu >= request.number("minCpuPerGpu")
        and product.memory_gb >= request.number("minMemoryPerGpu")
        and product.max_rootfs_gb >= request.number("minRootFSSize")
    )


def product_row(world: World, product: Product, cluster_id: str, mode: str, gpu_num: int) -> Json:
    """One product in one cluster, or in all clusters if none is given."""
    places = [cluster_id] if cluster_id else list(product.capacity)
    free = [world.stock.free(product, place, mode) for place in places]
    deployable = max(free) >= gpu_num
    regions = [] if product.everywhere else product.capacity
    name = REGIONS[world.settings.regions_form]
    return {
        "id": product.id,
        "name": product.name,
        "cpuPerGpu": product.cpu,
        "memoryPerGpu": product.memory_gb,
        "diskPerGpu": 6144,
        "availableDeploy": deployable,
        "canBuy": deployable,
        "minRootFS": 10,
        "maxRootFS": product.max_rootfs_gb,
        "minLocalStorage": 0,
        "maxLocalStorage": 2048,
        "regions": [name(world, world.clusters[place]) for place in regions],
        "price": price(world, world.price_e5(product, "onDemand")),
        "monthlyPrice": [
            {"price": price(world, subscription_e5(world, product.id, month)), "month": month}
            for month in (1, 3, 6, 12)
        ],
        "billingMethods": [word(world, each) for each in product.billing_modes],
        "spotPrice": price(world, world.price_e5(product, "spot")),
        "inventoryState": word(world, _inventory_state(sum(free)) if deployable else "none"),
    }


def _inventory_state(free: int) -> str:
    return "low" if free < 10 else "normal" if free < 100 else "high"


def cpu_products(world: World, now_ms: int, request: Request) -> Json:
    cluster_id = request.text("clusterId")
    name = request.text("productName").lower()
    return {
        "data": [
            {
                "id": product.id,
                "name": product.name,
                "cpuNum": product.cpu,
                "memorySize": product.memory_gb,
                "rootfsSize": product.max_rootfs_gb,
                "localVolumeSize": 0,
                "availableDeploy": any(
                    world.stock.free(product, place, "onDemand")
                    for place in ([cluster_id] if cluster_id else product.capacity)
                ),
                "price": price(world, world.price_e5(product, "onDemand")),
            }
            for product in world.products.values()
            if product.kind == "cpu"
            and name in product.name.lower()
            and (not cluster_id or cluster_id in product.capacity)
        ]
    }


ROUTES: Routes = {
    ("GET", "/clusters"): clusters,
    ("GET", "/products"): products,
    ("GET", "/cpu/products"): cpu_products,
}
