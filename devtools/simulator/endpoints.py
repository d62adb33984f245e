"""Endpoints of instances: their addresses, and the answers at them.

By default, addresses look like those of the service's proxies, which do not know our instances.
With an address of its own (`World.own_address`), the simulator publishes itself instead: an HTTP
endpoint is a path on it, a TCP endpoint accepts the connection. An unusable instance answers 503,
or has the address of a port without a listener.
"""

from __future__ import annotations

import hashlib

from devtools.simulator.http import Request, Response, text_response
from devtools.simulator.world.records import Instance
from devtools.simulator.world.world import World

PREFIX = "/endpoints/"
TERMINAL_PORT = 2222
# tcpmux, which no host has served for decades.
DEAD_PORT = 1


def published_ports(instance: Instance) -> list[tuple[int, str]]:
    """The ports of an instance and of its tools; a tool on a port that is open anyway shares it."""
    tools = ((int(tool["port"]), tool["type"]) for tool in instance.tools)
    return list(dict.fromkeys([*((port, kind) for port, kind in instance.ports), *tools]))


def endpoint(world: World, instance: Instance, port: int, kind: str, now_ms: int) -> str:
    """A URL for http, host:port for tcp."""
    if world.own_address:
        return _own_endpoint(world, instance, port, kind, now_ms)
    if kind == "http":
        return world.settings.http_endpoint_template.format(
            id=instance.id, port=port, cluster=instance.cluster_id
        )
    proxy = f"proxy.{instance.cluster_id}.gpu-instance.novita.ai"
    return f"{proxy}:{_high_port(instance, port)}"


def _own_endpoint(world: World, instance: Instance, port: int, kind: str, now_ms: int) -> str:
    if kind == "http":
        return f"http://{world.own_address}{PREFIX}{instance.id}/{port}"
    if is_usable(world, instance, now_ms):
        return world.own_address
    return f"{world.own_address.rpartition(':')[0]}:{DEAD_PORT}"


def _high_port(instance: Instance, port: int) -> int:
    """The proxy's port for a TCP port of the instance, 30000-59999; changes with each move."""
    key = f"{identity(instance)}/{port}"
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return 30_000 + int.from_bytes(digest, "big") % 30_000


def identity(instance: Instance) -> str:
    """Seed of ports and passwords: the id and the number of moves."""
    return f"{instance.id}/{instance.moves}" if instance.moves else instance.id


def is_usable(world: World, instance: Instance, now_ms: int) -> bool:
    """True if it has run long enough and its name does not mark it as unusable."""
    phase, word = instance.phase(now_ms), world.settings.unusable_names
    after_ms = round(world.settings.usable_after_seconds * 1000)
    is_up = phase.status == "running" and now_ms - phase.at_ms >= after_ms
    return is_up and not (word and word in instance.name)


def answer(world: World, now_ms: int, request: Request) -> Response:
    """The response of an HTTP endpoint; the same for all paths below it."""
    instance_id, _, rest = request.path.removeprefix(PREFIX).partition("/")
    port = rest.partition("/")[0]
    instance = world.instances.get(instance_id)
    if instance is None or port not in _web_ports(instance):
        return text_response("no such endpoint\n", 404)
    if instance.status(now_ms) != "running":
        return text_response("the instance does not run\n", 502)
    if not is_usable(world, instance, now_ms):
        return text_response("the instance is not usable\n", 503)
    text = f"Simulated instance {instance.name}, port {port}\n"
    return text_response(text, world.settings.endpoint_status)


def _web_ports(instance: Instance) -> set[str]:
    return {str(TERMINAL_PORT), *(str(port) for port, _ in published_ports(instance))}
