"""Where the ports of instances are said to be, and what answers there.

As the service has them, addresses lead to its proxies, where nobody knows our instances. With an
address of its own (`World.own_address`) the simulator publishes itself instead: an HTTP endpoint is
a path of it, a TCP one takes the connection. What is not usable answers 503, or is published where
nobody listens.
"""

from __future__ import annotations

import hashlib

from devtools.simulator.http import Request, Response, text_response
from devtools.simulator.world.records import Instance
from devtools.simulator.world.world import World

PREFIX = "/endpoints/"
TERMINAL_PORT = 2222
# tcpmux, which nobody has served for decades.
DEAD_PORT = 1


def published_ports(instance: Instance) -> list[tuple[int, str]]:
    """Its ports and those of its tools; a tool on a port that is opened anyway shares it."""
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
    """The proxy's port for a TCP port of the instance, 30000-59999; another after each move."""
    key = f"{identity(instance)}/{port}"
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return 30_000 + int.from_bytes(digest, "big") % 30_000


def identity(instance: Instance) -> str:
    """What ports and passwords derive from: the id, and how often it has moved."""
    return f"{instance.id}/{instance.moves}" if instance.moves else instance.id


def is_usable(world: World, instance: Instance, now_ms: int) -> bool:
    """Running for long enough, and not one whose name says that it never is."""
    phase, word = instance.phase(now_ms), world.settings.unusable_names
    after_ms = round(world.settings.usable_after_seconds * 1000)
    is_up = phase.status == "running" and now_ms - phase.at_ms >= after_ms
    return is_up and not (word and word in instance.name)


def answer(world: World, now_ms: int, request: Request) -> Response:
    """What stands behind an HTTP endpoint; any path below it is answered alike."""
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
