"""Images that a cluster pulls before an instance needs them."""

from __future__ import annotations

import uuid

from devtools.simulator.errors import invalid, refused
from devtools.simulator.forms import cluster_name, total
from devtools.simulator.http import Json, Request, Routes
from devtools.simulator.routes.paging import page
from devtools.simulator.shapes import unix_seconds
from devtools.simulator.world.create_requests import text
from devtools.simulator.world.creation import image_rule
from devtools.simulator.world.world import World

IMAGE_BYTES = 2_147_483_648
LARGEST_IMAGE_GB = 50


def list_tasks(world: World, now_ms: int, request: Request) -> Json:
    """Here the page parameter is `page`."""
    query = request.query
    shown = [
        task
        for task in (_shape(world, made, now_ms) for made in _newest_first(world))
        if query.get("state", "") in ("", task["state"])
        and query.get("clusterId", "") in ("", task["clusterId"])
        and query.get("name", "").lower() in f"{task['imageName']} {task['note']}".lower()
    ]
    tasks = page(world.settings, request, shown, key="page")
    return {"data": tasks, "total": total(world, len(shown))}


def create_task(world: World, now_ms: int, request: Request) -> Json:
    """Without products, for the whole cluster."""
    body = request.json()
    cluster_id, products = text(body, "clusterId", 1, 255), _products(world, body)
    if cluster_id not in world.clusters:
        raise refused("RESOURCE_NOT_FOUND", f"cluster {cluster_id} not found")
    auth_id = text(body, "repositoryAuth", 0, 255)
    if auth_id and auth_id not in world.things.get("auth", {}):
        raise refused("IMAGE_URL_OR_AUTH_ERROR", "image auth not found")
    if len(_newest_first(world)) >= world.settings.prewarm_limit:
        raise refused("IMAGE_PREWARM_NUM_LIMIT", "too many image prewarm tasks")
    made: Json = {
        "id": str(uuid.uuid4()),
        "imageUrl": text(body, "imageUrl", 1, 500),
        "repositoryAuth": auth_id,
        "clusterId": cluster_id,
        "products": products,
        "note": text(body, "note", 0, 1023),
        "created_ms": now_ms,
        "end_ms": now_ms + round(world.settings.prewarm_seconds * 1000),
    }
    world.put_thing("prewarm", made["id"], made)
    return {"id": made["id"]}


def edit_task(world: World, now_ms: int, request: Request) -> Json:
    """Only the note can be changed; returns the whole task."""
    body = request.json()
    known = _task(world, text(body, "id", 0, 255) or text(body, "task_id", 0, 255))
    changed = {**known, "note": text(body, "note", 0, 1023)}
    world.put_thing("prewarm", known["id"], changed)
    return _shape(world, changed, now_ms)


def delete_tasks(world: World, now_ms: int, request: Request) -> Json:
    """`ids` by the documentation; a client in use sends `task_id`. Deletes all of them or none."""
    body = request.json()
    ids = body.get("ids") or body.get("task_id") or body.get("id")
    ids = [ids] if isinstance(ids, str) else ids
    if not isinstance(ids, list) or not ids or not all(isinstance(item, str) for item in ids):
        raise invalid("ids", "value must contain at least 1 item(s)")
    for task in [_task(world, task_id) for task_id in dict.fromkeys(ids)]:
        world.drop_thing("prewarm", task["id"])
    return {}


def quota(world: World, now_ms: int, request: Request) -> Json:
    """The number of tasks, their limit, and the largest image in GB."""
    used = len(_newest_first(world))
    limit = world.settings.prewarm_limit
    return {"total": total(world, used), "limit": limit, "perImageSize": LARGEST_IMAGE_GB}


def _newest_first(world: World) -> list[Json]:
    return list(reversed(world.things.get("prewarm", {}).values()))


def _task(world: World, task_id: str) -> Json:
    known = world.things.get("prewarm", {}).get(task_id)
    if known is None:
        raise refused("RESOURCE_NOT_FOUND", f"image prewarm task {task_id} not found")
    return known


def _products(world: World, body: Json) -> list[str]:
    ids = body.get("productIds") or []
    if not isinstance(ids, list):
        raise invalid("productIds", "value must be a list of strings")
    for product_id in ids:
        if not isinstance(product_id, str) or product_id not in world.products:
            reason = world.settings.unknown_product_reason
            raise refused(reason, f"product {product_id} not found")
    return ids


def _state(world: World, task: Json, now_ms: int) -> str:
    """Pending for a quarter of its time; fails if a pull of its image fails."""
    if now_ms < task["end_ms"]:
        quarter_ms = (task["end_ms"] - task["created_ms"]) // 4
        return "Pending" if now_ms < task["created_ms"] + quarter_ms else "Running"
    return "Failed" if "fail_in" in image_rule(world, task["imageUrl"]) else "Succeeded"


def _shape(world: World, task: Json, now_ms: int) -> Json:
    state, cluster = _state(world, task, now_ms), world.clusters[task["clusterId"]]
    is_over = state in ("Succeeded", "Failed")
    return {
        "id": task["id"],
        "imageName": task["imageUrl"].rpartition("/")[2].partition(":")[0],
        "imageUrl": task["imageUrl"],
        "repositoryAuth": task["repositoryAuth"],
        "clusterId": cluster.id,
        "clusterName": cluster_name(world, cluster),
        "products": [
            {"productId": product_id, "productName": world.products[product_id].name}
            for product_id in task["products"]
        ],
        "imageSize": str(IMAGE_BYTES) if state == "Succeeded" else "0",
        "createTime": unix_seconds(task["created_ms"]),
        "completeTime": unix_seconds(task["end_ms"]) if is_over else "0",
        "state": state,
        "note": task["note"],
        "reason": [f"failed to pull image {task['imageUrl']}"] if state == "Failed" else [],
    }


ROUTES: Routes = {
    ("GET", "/image/prewarm"): list_tasks,
    ("POST", "/image/prewarm"): create_task,
    ("POST", "/image/prewarm/edit"): edit_task,
    ("POST", "/image/prewarm/delete"): delete_tasks,
    ("GET", "/image/prewarm/quota"): quota,
}
