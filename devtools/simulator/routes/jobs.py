"""Upstream jobs: an image saved from an instance."""

from __future__ import annotations

from devtools.simulator.errors import refused
from devtools.simulator.forms import total
from devtools.simulator.http import Json, Request, Routes
from devtools.simulator.routes.instances import named
from devtools.simulator.routes.paging import page
from devtools.simulator.shapes import unix_seconds
from devtools.simulator.world.create_requests import text
from devtools.simulator.world.defaults import OWNER_ID
from devtools.simulator.world.upstream_jobs import SAVE_IMAGE, add_job, job_state
from devtools.simulator.world.world import World


def save_image(world: World, now_ms: int, request: Request) -> Json:
    instance, body = named(world, now_ms, request), request.json()
    image, auth_id = text(body, "image", 1, 4095), text(body, "registryAuthId", 0, 255)
    if auth_id and auth_id not in world.things.get("auth", {}):
        raise refused("IMAGE_URL_OR_AUTH_ERROR", "image auth not found")
    seconds = world.settings.save_image_seconds
    return {"jobId": add_job(world, now_ms, SAVE_IMAGE, instance.id, seconds, image=image)}


def list_jobs(world: World, now_ms: int, request: Request) -> Json:
    query = request.query
    shown = [
        shape
        for shape in (_shape(world, job, now_ms) for job in _newest_first(world))
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
    if job["type"] != SAVE_IMAGE:
        raise refused("MIGRATION_JOB_NOT_BREAKABLE", "migration job is not breakable")
    if job_state(job, now_ms) == "running":
        world.put_thing("job", job_id, {**job, "broken": True})
    return {"jobId": job_id}


def _newest_first(world: World) -> list[Json]:
    return list(reversed(world.things.get("job", {}).values()))


def _shape(world: World, job: Json, now_ms: int) -> Json:
    state = {"state": job_state(job, now_ms), "error": "", "message": ""}
    if state["state"] == "fail":
        state[world.settings.job_error_field] = job["failure"]
    return {
        "Id": job["Id"],
        "user": OWNER_ID,
        "type": job["type"],
        "envs": [{"key": "image", "value": job["image"]}] if job["image"] else [],
        "state": state,
        "logAddress": "",
        "createdAt": unix_seconds(job["created_ms"]),
        "instanceId": job["instanceId"],
    }


ROUTES: Routes = {
    ("GET", "/jobs"): list_jobs,
    ("POST", "/job/save/image"): save_image,
    ("POST", "/job/break"): break_job,
}
