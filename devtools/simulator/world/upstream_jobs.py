"""Jobs of the service: saves of an image, moves by request or by the service itself."""

from __future__ import annotations

import uuid

from devtools.simulator.http import Json
from devtools.simulator.world.world import World

SAVE_IMAGE = "saveImage"
MIGRATE = "instanceMigrate"
MOVE = "autoInstanceMigrate"


def add_job(
    world: World,
    now_ms: int,
    kind: str,
    instance_id: str,
    seconds: float,
    *,
    image: str = "",
    failure: str = "",
) -> str:
    """A job that ends after `seconds` of simulated time; failed if `failure` is not empty."""
    job_id = str(uuid.uuid4())
    made: Json = {
        "Id": job_id,
        "type": kind,
        "instanceId": instance_id,
        "image": image,
        "created_ms": now_ms,
        "end_ms": now_ms + round(seconds * 1000),
        "failure": failure,
        "broken": False,
    }
    world.put_thing("job", job_id, made)
    return job_id


def job_state(job: Json, now_ms: int) -> str:
    if job["broken"]:
        return "break"
    if now_ms < job["end_ms"]:
        return "running"
    return "fail" if job.get("failure") else "success"


def fail_moves(world: World, now_ms: int, instance_id: str, failure: str) -> None:
    """End the present moves of this instance as failed."""
    for job in list(world.things.get("job", {}).values()):
        is_move = job["type"] in (MIGRATE, MOVE) and job["instanceId"] == instance_id
        if is_move and job_state(job, now_ms) == "running":
            failed = {**job, "failure": failure, "end_ms": now_ms}
            world.put_thing("job", job["Id"], failed)
