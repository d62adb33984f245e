"""Changes to an existing instance: size and ports, image, subscription."""

from __future__ import annotations

from devtools.simulator.errors import invalid, refused
from devtools.simulator.http import Json, Request, Routes
from devtools.simulator.routes.instances import named
from devtools.simulator.world import actions
from devtools.simulator.world.create_requests import (
    MAX_PORTS_AND_TOOLS,
    boolean,
    checked_port,
    items,
    parse_envs,
    text,
    whole,
)
from devtools.simulator.world.creation import check_storage, subscribe
from devtools.simulator.world.records import Instance
from devtools.simulator.world.world import World


def edit(world: World, now_ms: int, request: Request) -> Json:
    """Here ports are an array of objects, unlike in create; the disk can only grow."""
    instance, body = named(world, now_ms, request), request.json()
    grow_gb = whole(body, "expandRootDisk", 0, 6144)
    limit_gb = world.products[instance.product_id].max_rootfs_gb
    if instance.rootfs_gb + grow_gb > limit_gb:
        raise refused("VALIDATOR_PARAM", f"rootfs size must not be more than {limit_gb} GB")
    if "ports" in body:
        wanted = items(body, "ports", MAX_PORTS_AND_TOOLS - len(instance.tools))
        instance.ports = [
            checked_port(whole(item, "port", 1, 65_535), text(item, "type", 1, 8))
            for item in wanted
        ]
    instance.rootfs_gb += grow_gb
    world.reprice(instance, now_ms)
    return {"instanceId": instance.id, "state": instance.status(now_ms)}


def upgrade(world: World, now_ms: int, request: Request) -> Json:
    """A new image on the same id; the documentation requires all fields."""
    instance, body = named(world, now_ms, request), request.json()
    image = text(body, "imageUrl", 1, 500)
    envs = parse_envs(body, 100)
    command, entrypoint = text(body, "command", 0, 2047), text(body, "entrypoint", 0, 2047)
    boolean(body, "save")
    storages = _volume_mounts(world, instance, body)
    actions.reset(world, instance, now_ms)
    instance.image, instance.envs = image, envs
    instance.command, instance.entrypoint = command, entrypoint
    instance.storages = storages
    world.changed(instance, now_ms)
    return {"instanceId": instance.id, "state": instance.status(now_ms)}


def _volume_mounts(world: World, instance: Instance, body: Json) -> list[dict[str, str]]:
    volume = body.get("networkVolume") or {}
    if not isinstance(volume, dict):
        raise invalid("networkVolume", "value must be an object")
    mounts = [
        {"id": text(item, "id", 1, 255), "mount": text(item, "mountPath", 1, 4095)}
        for item in items(volume, "volumeMounts", 30)
    ]
    for mount in mounts:
        check_storage(world, mount["id"], instance.cluster_id)
    return mounts


def renew(world: World, now_ms: int, request: Request) -> Json:
    instance = named(world, now_ms, request)
    if instance.billing_mode != "monthly":
        raise refused("UNSUPPORTED_BILLING_MODE", "instance is not a subscription")
    if instance.status(now_ms) in ("pending", "toCreate", "creating", "pulling"):
        reason = "CREATING_INSTANCE_NOT_SUPPORT_RENEWAL"
        raise refused(reason, "creating instance does not support renewal")
    return _subscribe(world, instance, now_ms, request)


def to_monthly(world: World, now_ms: int, request: Request) -> Json:
    instance = named(world, now_ms, request)
    if instance.billing_mode != "onDemand":
        raise refused("UNSUPPORTED_BILLING_MODE", "instance is not pay-as-you-go")
    return _subscribe(world, instance, now_ms, request)


def _subscribe(world: World, instance: Instance, now_ms: int, request: Request) -> Json:
    subscribe(world, instance, now_ms, whole(request.json(), "month", 1, 60))
    world.balance.charge(instance.charges[-1][1])
    world.reprice(instance, now_ms)
    return {}


def set_auto_renew(world: World, now_ms: int, request: Request) -> Json:
    body = request.json()
    for field in ("instanceIds", "autoRenew", "autoRenewMonth"):
        if field not in body:
            raise invalid(field, "value is required")
    ids, month = body["instanceIds"], whole(body, "autoRenewMonth", 1, 12)
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise invalid("instanceIds", "value must be a list of strings")
    found = [actions.find_instance(world, now_ms, instance_id) for instance_id in ids]
    for instance in found:
        instance.auto_renew, instance.auto_renew_month = boolean(body, "autoRenew"), month
        world.changed(instance, now_ms)
    return {}


def set_auto_migrate(world: World, now_ms: int, request: Request) -> Json:
    """While this is on, the service may move the instance by itself (order `move`)."""
    instance, body = named(world, now_ms, request), request.json()
    for field in ("autoMigrateOpen", "autoMigrateSystemDisk"):
        if field not in body:
            raise invalid(field, "value is required")
    instance.auto_migrate = boolean(body, "autoMigrateOpen")
    instance.auto_migrate_disk = boolean(body, "autoMigrateSystemDisk")
    world.changed(instance, now_ms)
    return {}


ROUTES: Routes = {
    ("POST", "/gpu/instance/edit"): edit,
    ("POST", "/gpu/instance/upgrade"): upgrade,
    ("POST", "/gpu/instance/renewInstance"): renew,
    ("POST", "/gpu/instance/transToMonthlyInstance"): to_monthly,
    ("POST", "/gpu/instance/setAutoRenew"): set_auto_renew,
    ("POST", "/gpu/instance/setAutoMigrate"): set_auto_migrate,
}
