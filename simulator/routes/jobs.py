"""Upstream jobs: an image saved from an instance."""

from __future__ import annotations

import uuid

from simulator.errors import refused
from simulator.http import Json, Request, Routes
from simulator.routes.instances import named
from simulator.routes.paging import page
from simulator.shapes import total, unix_seconds
from simulator.world.defaults import OWNER_ID
from simulator.world.wishes import text
from simulator.world.world import World


def save_image(world: World, now_ms: int, request: Request) -> Json:
    instance, body = named(world, now_ms, request), request.json()
    image, auth_id = text(body, "image", 1, 4095), text(body, "registryAuthId", 0, 255)
    if auth_id and auth_id not in world.things.get("auth", {}):
        raise refused("IMAGE_URL_OR_AUTH_ERROR", "image auth not found")
    job_id = str(uuid.uuid4())
    made: Json = {
        "Id": job_id,
        "type": "saveImage",
        "instanceId": instance.id,
        "image": image,
        "created_ms": now_ms,
        "end_ms": now_ms + round(world.settings.save_image_seconds * 1000),
        "broken": False,
    }
    world.put_thing("job", job_id, made)
    return {"jobId": job_id}


def list_jobs(world: World, now_ms: int, request: Request) -> Json:
    query = request.query
    shown = [
        shape
        for shape in (_shape(job, now_ms) for job in _newest_first(world))
        if query.get("jobId", "") in ("", shape["Id"])
        and query.get("type", "") in ("", shape["type"])
        and query.get("state", "") in ("", shape["state"]["state"])
    ]
    return {"jobs": page(world.settings, request, shown), "total": total(world, len(shown))}


def break_job(world: World, now_ms: int, request: Request) -> Json:
    job_id = request.text("jobId")
    job = world.things.get("job", {}).get(job_id)
    if job is None:
        raise refused("JOB_NOT_FOUND", f"job {job_id} not found")
    if _state(job, now_ms) == "running":
        world.put_thing("job", job_id, {**job, "broken": True})
    return {"jobId": job_id}


def _newest_first(world: World) -> list[Json]:
    return list(reversed(world.things.get("job", {}).values()))


def _state(job: Json, now_ms: int) -> str:
    if job["broken"]:
        return "break"
    return "running" if now_ms < job["end_ms"] else "success"


def _shape(job: Json, now_ms: int) -> Json:
    return {
        "Id": job["Id"],
        "user": OWNER_ID,
        "type": job["type"],
        "envs": [{"key": "image", "value": job["image"]}],
        "state": {"state": _state(job, now_ms), "error": "", "message": ""},
        "logAddress": "",
        "createdAt": unix_seconds(job["created_ms"]),
        "instanceId": job["instanceId"],
    }


ROUTES: Routes = {
    ("GET", "/jobs"): list_jobs,
    ("POST", "/job/save/image"): save_image,
    ("POST", "/job/break"): break_job,
}
