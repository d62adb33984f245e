"""The body of a create call, parsed and checked field by field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from devtools.simulator.errors import invalid
from devtools.simulator.http import Json

MAX_PORTS_AND_TOOLS = 15
RESERVED_PORTS = range(2222, 2225)
STRICT_NAME = re.compile(r"[A-Za-z0-9-]*")


@dataclass(frozen=True)
class CreateRequest:
    """A valid create body; sizes in GB, `month` 0 unless a subscription."""

    name: str
    kind: str
    product_id: str
    gpu_num: int
    rootfs_gb: int
    image: str
    image_auth: str
    image_auth_id: str
    command: str
    entrypoint: str
    cluster_id: str
    network_id: str
    billing_mode: str
    month: int
    auto_renew: bool
    auto_renew_month: int
    min_cuda: str
    ports: list[list[Any]]
    tools: list[dict[str, str]]
    envs: list[dict[str, str]]
    storages: list[dict[str, str]]


def parse_create_request(body: Json, *, strict_names: bool = False) -> CreateRequest:
    """Raises ApiError VALIDATOR_PARAM with the first invalid field."""
    name = text(body, "name", 0, 255)
    if strict_names and not STRICT_NAME.fullmatch(name):
        raise invalid("name", "value does not match regex pattern")
    kind = text(body, "kind", 1, 16)
    if kind not in ("gpu", "cpu"):
        raise invalid("kind", "value must be in list [gpu cpu]")
    month = whole(body, "month", 0, 60)
    ports, tools = parse_ports(text(body, "ports", 0, 4096)), _tools(body)
    if len(ports) + len(tools) > MAX_PORTS_AND_TOOLS:
        raise invalid("ports", f"ports and tools must not be more than {MAX_PORTS_AND_TOOLS}")
    return CreateRequest(
        name=name,
        kind=kind,
        product_id=text(body, "productId", 1, 255),
        gpu_num=whole(body, "gpuNum", 1, 8) if kind == "gpu" else 0,
        rootfs_gb=max(10, whole(body, "rootfsSize", 1, 6144)),
        image=text(body, "imageUrl", 1, 500),
        image_auth=text(body, "imageAuth", 0, 10_239),
        image_auth_id=text(body, "imageAuthId", 0, 255),
        command=text(body, "command", 0, 2047),
        entrypoint=text(body, "entrypoint", 0, 2047),
        cluster_id=text(body, "clusterId", 0, 255),
        network_id=text(body, "networkId", 0, 255),
        billing_mode=_billing_mode(body, month),
        month=month,
        auto_renew=boolean(body, "autoRenew"),
        auto_renew_month=whole(body, "autoRenewMonth", 1, 12, default=1),
        min_cuda=text(body, "minCudaVersion", 0, 16),
        ports=ports,
        tools=tools,
        envs=parse_envs(body, 100 if kind == "gpu" else 30),
        storages=_storages(body),
    )


def text(body: Json, field: str, shortest: int, longest: int) -> str:
    """A string of bounded length; absent counts as empty."""
    value = body.get(field)
    value = "" if value is None else value
    if not isinstance(value, str):
        raise invalid(field, "value must be a string")
    if not shortest <= len(value) <= longest:
        raise invalid(field, f"value length must be between {shortest} and {longest} runes")
    return value


def whole(body: Json, field: str, low: int, high: int, default: int = 0) -> int:
    """A whole number; protobuf's JSON also takes it as a decimal string."""
    value = body.get(field)
    value = default if value is None or value == "" else value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(field, "value must be an integer")
    if not low <= value <= high:
        raise invalid(field, f"value must be inside range [{low}, {high}]")
    return value


def boolean(body: Json, field: str) -> bool:
    value = body.get(field)
    value = False if value is None else value
    if not isinstance(value, bool):
        raise invalid(field, "value must be a boolean")
    return value


def parse_ports(ports: str) -> list[list[Any]]:
    """`80/http,3306/tcp` as [port, type] pairs."""
    parsed = []
    for part in filter(None, ports.split(",")):
        number, _, kind = part.strip().partition("/")
        if not re.fullmatch(r"[0-9]{1,5}", number):
            raise invalid("ports", f"cannot parse {part!r}")
        parsed.append(checked_port(int(number), kind))
    return parsed


def checked_port(port: int, kind: str) -> list[Any]:
    if not 1 <= port <= 65_535 or port in RESERVED_PORTS:
        raise invalid("ports", f"port {port} must be inside 1-65535 and outside 2222-2224")
    if kind not in ("tcp", "http"):
        raise invalid("ports", f"type {kind!r} must be in list [tcp http]")
    return [port, kind]


def items(body: Json, field: str, most: int) -> list[Json]:
    """A list of objects of bounded length; absent counts as empty."""
    value = body.get(field)
    value = [] if value is None else value
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise invalid(field, "value must be a list of objects")
    if len(value) > most:
        raise invalid(field, f"value must contain no more than {most} item(s)")
    return value


def _billing_mode(body: Json, month: int) -> str:
    mode = text(body, "billingMode", 0, 32) or "onDemand"
    if mode not in ("onDemand", "monthly", "spot"):
        raise invalid("billingMode", "value must be in list [onDemand monthly spot]")
    if mode == "monthly" and month == 0:
        raise invalid("month", "value must be greater than 0 for monthly billing")
    return "monthly" if month > 0 else mode


def parse_envs(body: Json, most: int) -> list[dict[str, str]]:
    """An unknown name such as `env` in place of `key` is ignored, so the key is empty."""
    return [
        {"key": text(item, "key", 0, 511), "value": text(item, "value", 0, 4095)}
        for item in items(body, "envs", most)
    ]


def _tools(body: Json) -> list[dict[str, str]]:
    tools = []
    for item in items(body, "tools", MAX_PORTS_AND_TOOLS):
        port = whole(item, "port", 1, 65_535)
        checked = checked_port(port, text(item, "type", 0, 16) or "http")
        tools.append({"name": text(item, "name", 0, 255), "port": str(port), "type": checked[1]})
    return tools


def _storages(body: Json) -> list[dict[str, str]]:
    return [
        {"id": text(item, "Id", 1, 255), "mount": text(item, "mountPoint", 0, 4095) or "/network"}
        for item in items(body, "networkStorages", 30)
    ]
