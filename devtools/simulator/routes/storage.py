"""Network storage and private networks."""

from __future__ import annotations

import uuid

from devtools.simulator.errors import refused
from devtools.simulator.forms import cluster_name, price, total
from devtools.simulator.http import Json, Request, Routes
from devtools.simulator.routes.paging import page
from devtools.simulator.shapes import unix_seconds
from devtools.simulator.world.create_requests import text, whole
from devtools.simulator.world.defaults import OWNER_ID
from devtools.simulator.world.world import World

E5_PER_GB_DAY = 200
"""$0.002 per GB and day."""
MAX_STORAGE_GB = 10_240


def list_storages(world: World, now_ms: int, request: Request) -> Json:
    """Here the page parameter is `pageNo`, and nowhere else."""
    name, storage_id = request.text("storageName"), request.text("storageId")
    found = [
        body
        for body in world.things.get("storage", {}).values()
        if name in body["storageName"] and storage_id in ("", body["storageId"])
    ]
    shown = page(world.settings, request, found, key="pageNo")
    return {
        "data": [
            {
                **body,
                "clusterName": cluster_name(world, world.clusters[body["clusterId"]]),
                "price": price(world, E5_PER_GB_DAY),
            }
            for body in shown
        ],
        "total": total(world, len(found)),
    }


def create_storage(world: World, now_ms: int, request: Request) -> str:
    """Answers a bare JSON string, as users found."""
    body, storage_id = request.json(), str(uuid.uuid4())
    cluster = world.clusters.get(text(body, "clusterId", 1, 255))
    if cluster is None or not cluster.has_network_storage:
        reason = "CUR_CLUSTER_NETWORK_STORAGE_NOT_SUPPORT"
        raise refused(reason, "cluster does not support network storage")
    made: Json = {
        "storageId": storage_id,
        "storageName": text(body, "storageName", 1, 255),
        "storageSize": whole(body, "storageSize", 10, MAX_STORAGE_GB),
        "clusterId": cluster.id,
    }
    world.put_thing("storage", storage_id, made)
    return storage_id


def update_storage(world: World, now_ms: int, request: Request) -> Json:
    known, body = _storage(world, request), request.json()
    size = whole(body, "storageSize", 10, MAX_STORAGE_GB, default=known["storageSize"])
    if size < known["storageSize"]:
        raise refused("VALIDATOR_PARAM", "network storage can only grow")
    name = text(body, "storageName", 0, 255) or known["storageName"]
    changed = {**known, "storageName": name, "storageSize": size}
    world.put_thing("storage", known["storageId"], changed)
    return {}


def delete_storage(world: World, now_ms: int, request: Request) -> Json:
    known = _storage(world, request)
    mounts = (mount["id"] for i in world.instances.values() for mount in i.storages)
    if known["storageId"] in mounts:
        raise refused("NETWORK_STORAGE_IN_USE", "network storage is in use")
    world.drop_thing("storage", known["storageId"])
    return {}


def _storage(world: World, request: Request) -> Json:
    storage_id = request.text("storageId")
    known = world.things.get("storage", {}).get(storage_id)
    if known is None:
        raise refused("NETWORK_STORAGE_NOT_FOUND", f"network storage {storage_id} not found")
    return known


def list_networks(world: World, now_ms: int, request: Request) -> Json:
    found = list(world.things.get("network", {}).values())
    shown = page(world.settings, request, found)
    return {"networks": shown, "total": total(world, len(found))}


def get_network(world: World, now_ms: int, request: Request) -> Json:
    """An array of one, as documented."""
    return {"network": [_network(world, request.text("networkId"))]}


def create_network(world: World, now_ms: int, request: Request) -> Json:
    body, network_id = request.json(), str(uuid.uuid4())
    cluster = world.clusters.get(text(body, "clusterId", 1, 255))
    if cluster is None or not cluster.has_networks:
        raise refused("CLUSTER_STATUS", "cluster does not support networks")
    count = len(world.things.get("network", {}))
    made: Json = {
        "Id": network_id,
        "user": OWNER_ID,
        "name": text(body, "name", 1, 30),
        "state": {"state": "ready", "error": ""},
        "segment": f"10.{64 + count // 256}.{count % 256}.0/24",
        "clusterId": cluster.id,
        "Addresses": [],
        "createTime": unix_seconds(now_ms),
    }
    world.put_thing("network", network_id, made)
    return {"network": [made]}


def update_network(world: World, now_ms: int, request: Request) -> Json:
    known = _network(world, request.text("networkId"))
    name = text(request.json(), "name", 1, 30)
    world.put_thing("network", known["Id"], {**known, "name": name})
    return {}


def delete_network(world: World, now_ms: int, request: Request) -> Json:
    known = _network(world, request.text("networkId"))
    if any(instance.network_id == known["Id"] for instance in world.instances.values()):
        raise refused("NETWORK_IN_USE", "network is in use")
    world.drop_thing("network", known["Id"])
    return {}


def _network(world: World, network_id: str) -> Json:
    known = world.things.get("network", {}).get(network_id)
    if known is None:
        raise refused("NETWORK_NOT_FOUND", f"network {network_id} not found")
    return known


ROUTES: Routes = {
    ("GET", "/networkstorages/list"): list_storages,
    ("POST", "/networkstorage/create"): create_storage,
    ("POST", "/networkstorage/update"): update_storage,
    ("POST", "/networkstorage/delete"): delete_storage,
    ("GET", "/networks"): list_networks,
    ("GET", "/network"): get_network,
    ("POST", "/network/create"): create_network,
    ("POST", "/network/update"): update_network,
    ("POST", "/network/delete"): delete_network,
}
