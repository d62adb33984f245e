"""Creating an instance: checks in the service's order, then a timeline to running (or not)."""

from __future__ import annotations

import uuid
from typing import Any

from devtools.simulator.errors import ApiError, invalid, out_of_stock, refused, refused_account
from devtools.simulator.http import Json
from devtools.simulator.world.create_requests import CreateRequest, parse_create_request
from devtools.simulator.world.records import Instance, Product
from devtools.simulator.world.spot import plan_reclaim
from devtools.simulator.world.timeline import DAY_MS
from devtools.simulator.world.world import World

MONTH_MS = 30 * DAY_MS
START_SHARES = (("pending", 0.0), ("toCreate", 0.05), ("creating", 0.1), ("pulling", 0.4))
"""The time at which each status before running begins, as a share of the start time."""


def create_instance(world: World, now_ms: int, body: Json, origin: str = "api") -> Instance:
    """Raises ApiError if refused. Two equal calls make two instances: nothing is deduplicated."""
    request = parse_create_request(body, strict_names=world.settings.strict_names)
    product = _product(world, request)
    cluster_id = _place(world, request, product)
    _check_means(world, request, product)
    _check_references(world, request, cluster_id)
    instance = _build(world, request, product, cluster_id, now_ms, origin)
    world.add(instance)
    _join_network(world, instance)
    world.replan(instance, now_ms, start_steps(world, instance, "pending"))
    _plan_failure(world, instance, now_ms)
    _plan_trouble(world, instance)
    _plan_spot(world, instance, now_ms)
    world.changed(instance, now_ms)
    return instance


def start_steps(world: World, instance: Instance, first: str) -> list[tuple[int, str]]:
    """Steps from `pending` (a create) or `toStart` to running; the image sets the duration."""
    total_ms = round(image_rule(world, instance.image).get("start_seconds",
                     world.settings.start_seconds) * 1000)  # fmt: skip
    if first == "pending":
        steps = [(round(total_ms * share), status) for status, share in START_SHARES]
    else:
        steps = [(0, "toStart"), (round(total_ms * 0.1), "starting")]
    return _halt([*steps, (total_ms, "running")], image_rule(world, instance.image))


def image_rule(world: World, image: str) -> dict[str, Any]:
    """The settings of an image: for its exact name, else for the longest part of it."""
    rules = world.settings.images
    fitting = [part for part in rules if part in image]
    return rules[max(fitting, key=len)] if fitting else {}


def _halt(steps: list[tuple[int, str]], rule: dict[str, Any]) -> list[tuple[int, str]]:
    last = rule.get("stuck_in") or rule.get("fail_in")
    names = [status for _, status in steps]
    return steps[: names.index(last) + 1] if last in names else steps


def _plan_failure(world: World, instance: Instance, now_ms: int) -> None:
    rule = image_rule(world, instance.image)
    if "fail_in" not in rule:
        return
    at_ms = instance.timeline[-1].at_ms + round(rule.get("fail_after_seconds", 1) * 1000)
    message = rule.get("message", f"failed to pull image {instance.image}: not found")
    ahead = [phase for phase in instance.timeline if phase.at_ms > now_ms]
    steps = [(phase.at_ms - now_ms, phase.status) for phase in ahead]
    end = world.settings.status_after_failure
    world.replan(instance, now_ms, [*steps, (at_ms - now_ms, end)])
    instance.errors.append([at_ms, rule["fail_in"], message])


def _plan_trouble(world: World, instance: Instance) -> None:
    """The image's `trouble_in`: a temporary `statusError` during the start."""
    rule = image_rule(world, instance.image)
    reached = [phase.at_ms for phase in instance.timeline if phase.status == rule.get("trouble_in")]
    if reached:
        end_ms = reached[0] + round(rule.get("trouble_seconds", 30) * 1000)
        state, message = rule.get("state", ""), rule.get("message", "")
        add_trouble(instance, reached[0], end_ms, state, message)


def add_trouble(instance: Instance, begin_ms: int, end_ms: int, state: str, message: str) -> None:
    """By default the error of a registry that throttles."""
    text = message or f'Back-off pulling image "{instance.image}"'
    instance.errors += [[begin_ms, state or "ImagePullBackOff", text], [end_ms, "", ""]]


def _plan_spot(world: World, instance: Instance, now_ms: int) -> None:
    if instance.billing_mode != "spot":
        return
    instance.spot.append([now_ms, "running", 0])
    after_seconds = world.settings.spot_reclaim_after_seconds
    if after_seconds:
        protected_ms = round(world.settings.spot_protection_seconds * 1000)
        notice_ms = now_ms + max(round(after_seconds * 1000), protected_ms)
        plan_reclaim(world, instance, now_ms, notice_ms)


def _join_network(world: World, instance: Instance) -> None:
    network = world.things.get("network", {}).get(instance.network_id)
    if network is not None:
        taken = {entry["Ip"] for entry in network["Addresses"]}
        prefix = network["segment"].rpartition(".")[0]
        free = next((ip for n in range(2, 255) if (ip := f"{prefix}.{n}") not in taken), "")
        addresses = [*network["Addresses"], {"Id": instance.id, "Ip": free}]
        world.put_thing("network", network["Id"], {**network, "Addresses": addresses})


def _product(world: World, request: CreateRequest) -> Product:
    product = world.products.get(request.product_id)
    if product is None or product.kind != request.kind:
        reason = world.settings.unknown_product_reason
        raise refused(reason, f"product {request.product_id} not found")
    return product


def _place(world: World, request: CreateRequest, product: Product) -> str:
    """The requested cluster, or any with room; counts the attempt for the stock rules."""
    if request.cluster_id and request.cluster_id not in world.clusters:
        raise refused("RESOURCE_NOT_FOUND", f"cluster {request.cluster_id} not found")
    candidates = [request.cluster_id] if request.cluster_id else list(product.capacity)
    units, mode = request.gpu_num or 1, request.billing_mode
    free = {
        cluster_id: world.stock.free(product, cluster_id, mode, buying=True)
        for cluster_id in candidates
    }
    best = max(free, key=lambda cluster_id: free[cluster_id])
    if world.stock.spend(product.id, best, mode):
        world.save_stock_rules()
    if free[best] < units:
        raise out_of_stock(product.id)
    return best


def _check_means(world: World, request: CreateRequest, product: Product) -> None:
    if request.billing_mode not in product.billing_modes:
        raise refused("UNSUPPORTED_BILLING_MODE", f"{request.billing_mode} is not supported")
    if request.rootfs_gb > product.max_rootfs_gb:
        message = f"rootfs size must not be more than {product.max_rootfs_gb} GB"
        raise refused("VALIDATOR_PARAM", message)
    require_money(world)
    quota, used = world.settings.gpu_quota, world.gpus_held()
    if quota and used + request.gpu_num > quota:
        raise ApiError(403, "CREATE_GPU_NUM_LIMIT", "gpu quota exceeded", ["gpu"])


def require_money(world: World) -> None:
    """Refuse without money, or for another reason of the account that a setting names."""
    if world.settings.account_refusal is not None:
        raise refused_account(**world.settings.account_refusal)
    if world.balance.balance_e5() <= 0:
        raise refused("BALANCE_NOT_ENOUGH", "balance not enough")


def _check_references(world: World, request: CreateRequest, cluster_id: str) -> None:
    if request.min_cuda and _version(request.min_cuda) > _version(
        world.clusters[cluster_id].max_cuda
    ):
        raise refused("CUDA_VERSION_INCOMPATIBLE", f"no node with CUDA {request.min_cuda}")
    if request.image_auth_id and request.image_auth_id not in world.things.get("auth", {}):
        raise refused("IMAGE_URL_OR_AUTH_ERROR", "image auth not found")
    network = world.things.get("network", {}).get(request.network_id)
    if request.network_id and (network is None or network["clusterId"] != cluster_id):
        raise refused("NETWORK_NOT_FOUND", f"network {request.network_id} not found")
    for wanted in request.storages:
        check_storage(world, wanted["id"], cluster_id)


def check_storage(world: World, storage_id: str, cluster_id: str) -> None:
    storage = world.things.get("storage", {}).get(storage_id)
    if storage is None:
        raise refused("NETWORK_STORAGE_NOT_FOUND", f"network storage {storage_id} not found")
    if storage["clusterId"] != cluster_id:
        message = "network storage lives in another cluster"
        raise refused("CUR_CLUSTER_NETWORK_STORAGE_NOT_SUPPORT", message)


def _version(text: str) -> tuple[int, ...]:
    if not all(part.isdigit() for part in text.split(".")):
        raise invalid("minCudaVersion", "value does not match regex pattern")
    return tuple(int(part) for part in text.split("."))


def _build(
    world: World,
    request: CreateRequest,
    product: Product,
    cluster_id: str,
    now_ms: int,
    origin: str,
) -> Instance:
    units = request.gpu_num or 1
    instance = Instance(
        id=world.new_id(),
        uuid=str(uuid.uuid4()),
        name=request.name,
        kind=request.kind,
        origin=origin,
        product_id=product.id,
        product_name=product.name,
        cluster_id=cluster_id,
        gpu_num=request.gpu_num,
        cpu_num=product.cpu * units,
        memory_gb=product.memory_gb * units,
        rootfs_gb=request.rootfs_gb,
        image=request.image,
        image_auth=request.image_auth,
        image_auth_id=request.image_auth_id,
        billing_mode=request.billing_mode,
        price_e5=world.price_e5(product, request.billing_mode, buying=True),
        created_ms=now_ms,
        command=request.command,
        entrypoint=request.entrypoint,
        ports=request.ports,
        tools=request.tools,
        envs=request.envs,
        storages=request.storages,
        network_id=request.network_id,
        auto_renew=request.auto_renew,
        auto_renew_month=request.auto_renew_month,
    )
    if request.month:
        subscribe(world, instance, now_ms, request.month)
    return instance


def subscribe(world: World, instance: Instance, now_ms: int, months: int) -> None:
    """Pay for months in advance; for an existing instance, the caller charges the balance."""
    instance.billing_mode = "monthly"
    instance.end_ms = max(instance.end_ms, now_ms) + months * MONTH_MS
    instance.charges.append([now_ms, subscription_e5(world, instance.product_id, months)
                             * instance.units()])  # fmt: skip


def subscription_e5(world: World, product_id: str, months: int) -> int:
    """Per GPU for the whole term: 30 days a month, a tenth off the hourly price."""
    hourly_e5 = world.price_e5(world.products[product_id], "onDemand")
    return hourly_e5 * 24 * 30 * months * 9 // 10
