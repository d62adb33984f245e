"""Templates and registry auths."""

from __future__ import annotations

import secrets
import uuid

from devtools.simulator.errors import ApiError, invalid, refused
from devtools.simulator.forms import another, total
from devtools.simulator.http import Json, Request, Routes
from devtools.simulator.routes.paging import page
from devtools.simulator.shapes import unix_seconds
from devtools.simulator.world.create_requests import items, text, whole
from devtools.simulator.world.defaults import template
from devtools.simulator.world.world import World

CHANNELS = ("official", "community", "private")
WRITABLE = [
    "readme",
    "startCommand",
    "entrypoint",
    "ports",
    "volumes",
    "envs",
    "minCudaVersion",
    "imageAuth",
    "tools",
]


def list_templates(world: World, now_ms: int, request: Request) -> Json:
    """Several channels may be joined by commas; none means all."""
    query = request.query
    channels = {channel for channel in query.get("channel", "").split(",") if channel}
    found = [
        body
        for body in world.things.get("template", {}).values()
        if (not channels or body["channel"] in channels)
        and query.get("name", "").lower() in body["name"].lower()
        and query.get("type", "") in ("", body["type"])
        and (query.get("isMyCommunity", "").lower() != "true" or body["channel"] != "official")
    ]
    shown = page(world.settings, request, found)
    return {
        "template": shown,
        "pageSize": request.number("pageSize", world.settings.default_page_size),
        "pageNum": request.number("pageNum", 1),
        "total": total(world, len(found)),
    }


def get_template(world: World, now_ms: int, request: Request) -> Json:
    template_id = request.text("templateId")
    body = _found(world, template_id)
    if "template" in world.settings.answers_another:
        known = world.things["template"]
        other = another(list(known), template_id)
        body = {**known.get(other, body), "Id": other}
    return {"template": body}


def create_template(world: World, now_ms: int, request: Request) -> Json:
    template_id = str(200_000 + secrets.randbelow(10**9))
    given = _checked(request)
    empty = template(template_id, "", "", "")
    body = {**empty, **given, "createdAt": unix_seconds(now_ms)}
    world.put_thing("template", template_id, body)
    return {"templateId": template_id}


def update_template(world: World, now_ms: int, request: Request) -> Json:
    given = _checked(request)
    template_id = _inner(request).get("Id")
    known = _found(world, template_id if isinstance(template_id, str) else "")
    world.put_thing("template", known["Id"], {**known, **given})
    return {"templateId": known["Id"]}


def delete_template(world: World, now_ms: int, request: Request) -> Json:
    known = _found(world, request.text("templateId"))
    if known["channel"] == "official":
        raise ApiError(403, "FORBIDDEN", "template belongs to another user")
    world.drop_thing("template", known["Id"])
    return {"templateId": known["Id"]}


def _found(world: World, template_id: str) -> Json:
    body = world.things.get("template", {}).get(template_id)
    if body is None:
        raise refused("TEMPLATE_NOT_FOUND", "template not found")
    return body


def _inner(request: Request) -> Json:
    inner = request.json().get("template")
    if not isinstance(inner, dict):
        raise invalid("template", "value is required")
    return inner


def _checked(request: Request) -> Json:
    inner = _inner(request)
    channel = text(inner, "channel", 0, 32) or "private"
    if channel not in CHANNELS:
        raise invalid("channel", f"value must be in list {CHANNELS}")
    return {
        "name": text(inner, "name", 1, 255),
        "readme": text(inner, "readme", 0, 102_400),
        "type": text(inner, "type", 0, 32) or "instance",
        "channel": channel,
        "image": text(inner, "image", 1, 500),
        "rootfsSize": whole(inner, "rootfsSize", 10, 6144, default=60),
        **{field: inner[field] for field in WRITABLE if field in inner},
        "envs": items(inner, "envs", 100),
    }


def list_auths(world: World, now_ms: int, request: Request) -> Json:
    auths = world.things.get("auth", {}).values()
    if world.settings.mask_passwords:
        return {"data": [{**auth, "password": "******"} for auth in auths]}
    return {"data": list(auths)}


def save_auth(world: World, now_ms: int, request: Request) -> Json:
    auth_id, body = str(uuid.uuid4()), request.json()
    fields = {name: text(body, name, 1, 4095) for name in ("name", "username", "password")}
    world.put_thing("auth", auth_id, {"id": auth_id, **fields})
    return {}


def delete_auth(world: World, now_ms: int, request: Request) -> Json:
    auth_id = request.text("id")
    if auth_id not in world.things.get("auth", {}):
        raise refused("RESOURCE_NOT_FOUND", "image auth not found")
    templates = world.things.get("template", {}).values()
    if any(body["imageAuth"] == auth_id for body in templates):
        raise refused("IMAGE_AUTH_IN_USE", "image auth is in use")
    world.drop_thing("auth", auth_id)
    return {}


ROUTES: Routes = {
    ("GET", "/templates"): list_templates,
    ("GET", "/template"): get_template,
    ("POST", "/template/create"): create_template,
    ("POST", "/template/update"): update_template,
    ("POST", "/template/delete"): delete_template,
    ("GET", "/repository/auths"): list_auths,
    ("POST", "/repository/auth/save"): save_auth,
    ("POST", "/repository/auth/delete"): delete_auth,
}
