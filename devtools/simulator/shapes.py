"""Instances, products and prices in the service's form: 64-bit numbers as decimal strings, Unix
seconds as strings with "0" for never, empty strings for missing values.
"""

from __future__ import annotations

import hashlib

from devtools.simulator.endpoints import TERMINAL_PORT, endpoint, identity, published_ports
from devtools.simulator.forms import cluster_name, instance_price, status_word, word
from devtools.simulator.http import Json
from devtools.simulator.world.records import DISK_E5_PER_GB_DAY, FREE_DISK_GB, Instance
from devtools.simulator.world.timeline import last_entered_ms
from devtools.simulator.world.upstream_jobs import SAVE_IMAGE
from devtools.simulator.world.world import World

GB_PER_STORAGE_PRICE = str(DISK_E5_PER_GB_DAY)
ONLY_ON_OLDER_PAGES = frozenset(
    {"productId", "productName", "rootfsSize", "spotStatus", "spotReclaimTime"}
    | {"createdAt", "lastStartedAt", "lastStoppedAt", "useTime", "instancePrice"}
    | {"localStoragePrice", "exitedLocalStoragePrice"}
)


def unix_seconds(at_ms: int | None) -> str:
    return "0" if at_ms is None else str(at_ms // 1000)


def listed_instance(world: World, instance: Instance, now_ms: int) -> Json:
    """An item of the list: no connect blocks, and by the documentation no endpoints."""
    body = _common(world, instance, now_ms)
    if world.settings.list_endpoints:
        return body
    thin = [{"port": m["port"], "type": m["type"]} for m in body["portMappings"]]
    return {**body, "portMappings": thin}


def _common(world: World, instance: Instance, now_ms: int) -> Json:
    state, message = instance.error(now_ms)
    spot_status, reclaim_ms = _spot_shown(world, instance, now_ms)
    started = last_entered_ms(instance.timeline, "running", now_ms)
    stopped = last_entered_ms(instance.timeline, "exited", now_ms)
    return {
        "id": instance.id,
        "name": instance.name,
        "clusterId": instance.cluster_id,
        "clusterName": cluster_name(world, world.clusters[instance.cluster_id]),
        "status": status_word(world, instance.status(now_ms)),
        "statusError": {"state": state, "message": message},
        "imageUrl": instance.image,
        "imageAuthId": instance.image_auth_id,
        "command": instance.command,
        "entrypoint": instance.entrypoint,
        "cpuNum": str(instance.cpu_num),
        "memory": str(instance.memory_gb),
        "gpuNum": str(instance.gpu_num),
        "portMappings": port_mappings(world, instance, now_ms),
        "productId": instance.product_id,
        "productName": instance.product_name,
        "rootfsSize": instance.rootfs_gb,
        "volumeMounts": _volume_mounts(world, instance),
        "envs": instance.envs,
        "tools": instance.tools,
        "kind": instance.kind,
        "billingMode": word(world, instance.billing_mode),
        "endTime": "-1" if instance.end_ms < 0 else str(instance.end_ms // 1000),
        "spotStatus": status_word(world, spot_status),
        "spotReclaimTime": str(reclaim_ms // 1000),
        "createdAt": unix_seconds(instance.created_ms),
        "lastStartedAt": unix_seconds(started),
        "lastStoppedAt": unix_seconds(stopped),
        "useTime": "0" if started is None else str((now_ms - started) // 1000),
        "instancePrice": instance_price(world, instance.price_e5),
        "localStoragePrice": GB_PER_STORAGE_PRICE,
        "exitedLocalStoragePrice": GB_PER_STORAGE_PRICE,
        "autoRenew": instance.auto_renew,
        "autoRenewMonth": instance.auto_renew_month,
        "releaseDataAt": _release_data_at(world, instance, now_ms),
        "uuid": instance.uuid,
        "network": _network(world, instance),
        "node": {"maxRootfsSize": 6144, "maxLocalVolumeSize": 2048},
        "jobs": _jobs(world, instance),
        "freeStorageSize": FREE_DISK_GB,
        "keepDataDay": world.settings.keep_data_days,
    }


def _spot_shown(world: World, instance: Instance, now_ms: int) -> tuple[str, int]:
    """Word and time of the reclaim; either may be missing in a notice."""
    word, reclaim_ms = instance.spot_state(now_ms)
    if word == "notified" and world.settings.spot_notice_without_time:
        return word, 0
    if word == "notified" and world.settings.spot_notice_without_status:
        return "running", reclaim_ms
    return word, reclaim_ms


def _jobs(world: World, instance: Instance) -> list[Json]:
    return [
        {"id": job["Id"], "type": job["type"]}
        for job in world.things.get("job", {}).values()
        if job["instanceId"] == instance.id and job["type"] == SAVE_IMAGE
    ]


def full_instance(world: World, instance: Instance, now_ms: int) -> Json:
    """The answer of get: the list's item plus endpoints and connect blocks."""
    body = _common(world, instance, now_ms)
    if world.settings.sparse_get:
        for name in ONLY_ON_OLDER_PAGES:
            del body[name]
    # Documented as a number here and as a string in the list.
    body["volumeMounts"] = [{**m, "size": int(m["size"])} for m in body["volumeMounts"]]
    return {**body, **_connect_blocks(world, instance, now_ms)}


def is_published(world: World, instance: Instance, now_ms: int) -> bool:
    """True if the endpoints are published: running, for at least the endpoint lag."""
    phase = instance.phase(now_ms)
    lag_ms = round(world.settings.endpoint_lag_seconds * 1000)
    return phase.status == "running" and now_ms - phase.at_ms >= lag_ms


def port_mappings(world: World, instance: Instance, now_ms: int) -> list[Json]:
    published = is_published(world, instance, now_ms)
    return [
        {
            "port": port,
            "endpoint": endpoint(world, instance, port, kind, now_ms) if published else "",
            "type": word(world, kind),
        }
        for port, kind in published_ports(instance)
    ]


def _connect_blocks(world: World, instance: Instance, now_ms: int) -> Json:
    is_running = instance.status(now_ms) == "running"
    secret = hashlib.sha256(identity(instance).encode()).hexdigest()[:20]
    host, _, port = endpoint(world, instance, 22, "tcp", now_ms).partition(":")
    logs = f"http://{endpoint(world, instance, 2, 'tcp', now_ms)}/logs/{instance.id}"
    shown = {
        "sshCommand": f"ssh -p {port} root@{host}",
        "sshPassword": secret,
        "terminal": endpoint(world, instance, TERMINAL_PORT, "http", now_ms),
        "systemLog": f"{logs}/system",
        "instanceLog": f"{logs}/instance",
    }
    shown = {name: value if is_running else "" for name, value in shown.items()}
    jupyter = next((tool for tool in instance.tools if tool["name"] == "Jupyter"), None)
    has_jupyter = is_running and jupyter is not None
    jupyter_port = int(jupyter["port"]) if jupyter else 0
    jupyter_address = endpoint(world, instance, jupyter_port, "http", now_ms)
    return {
        "connectComponentSSH": {
            "sshCommand": shown["sshCommand"],
            "password": shown["sshPassword"],
            "isRunning": is_running,
        },
        "connectComponentWebTerminal": {
            "address": shown["terminal"],
            "username": "root" if is_running else "",
            "password": shown["sshPassword"],
            "isRunning": is_running,
        },
        "connectComponentJupyter": {
            "port": jupyter_port,
            "address": jupyter_address if has_jupyter else "",
            "isRunning": has_jupyter,
        },
        "connectComponentLog": {
            "systemLogAddress": shown["systemLog"],
            "instanceLogAddress": shown["instanceLog"],
            "isRunning": is_running,
        },
    }


def _volume_mounts(world: World, instance: Instance) -> list[Json]:
    storages = world.things.get("storage", {})
    return [
        {
            "type": "network",
            "size": str(storages.get(mount["id"], {}).get("storageSize", 0)),
            "id": mount["id"],
            "mountPath": mount["mount"],
        }
        for mount in instance.storages
    ]


def _network(world: World, instance: Instance) -> Json:
    network = world.things.get("network", {}).get(instance.network_id)
    if network is None:
        return {"id": "", "ip": ""}
    ips = [entry["Ip"] for entry in network["Addresses"] if entry["Id"] == instance.id]
    return {"id": instance.network_id, "ip": ips[0] if ips else ""}


def _release_data_at(world: World, instance: Instance, now_ms: int) -> str:
    phase = instance.phase(now_ms)
    if phase.status != "exited":
        return "0"
    return unix_seconds(phase.at_ms + world.settings.keep_data_days * 86_400_000)
