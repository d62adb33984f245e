"""Actions on an instance: the statuses that allow them, and the timelines that follow."""

from __future__ import annotations

from devtools.simulator.errors import ApiError, out_of_stock, refused
from devtools.simulator.world import moving
from devtools.simulator.world.creation import require_money, start_steps
from devtools.simulator.world.records import Instance
from devtools.simulator.world.spot import forget_reclaim
from devtools.simulator.world.timeline import GONE
from devtools.simulator.world.world import World


def find_instance(
    world: World, now_ms: int, instance_id: str, *, is_read: bool = False
) -> Instance:
    """Raises not-found with the status and words of the settings."""
    instance = world.instances.get(instance_id)
    is_hidden = world.blindness.hides_directly(instance_id, now_ms, is_read=is_read)
    if instance is None or instance.is_gone(now_ms) or is_hidden:
        raise not_found(world, instance_id)
    return instance


def not_found(world: World, instance_id: str) -> ApiError:
    """The refusal of an id that never existed, is gone, or is hidden by a blindness."""
    settings = world.settings
    message = settings.not_found_message.replace("{id}", instance_id)
    return ApiError(settings.not_found_status, settings.not_found_reason, message)


def start(world: World, instance: Instance, now_ms: int) -> None:
    """Needs free GPUs again, since a stop released them."""
    _require(world, instance, now_ms, "exited")
    require_money(world)
    if _free(world, instance, instance.cluster_id) < instance.units():
        raise out_of_stock(instance.product_id)
    _clear(world, instance, now_ms)
    world.replan(instance, now_ms, start_steps(world, instance, "toStart"))


def stop(world: World, instance: Instance, now_ms: int) -> None:
    _require(world, instance, now_ms, "running")
    forget_reclaim(world, instance, now_ms, restart=False)
    end_ms = round(world.settings.stop_seconds * 1000)
    world.replan(instance, now_ms, [(0, "toStop"), (end_ms // 3, "stopping"), (end_ms, "exited")])


def restart(world: World, instance: Instance, now_ms: int) -> None:
    _require(world, instance, now_ms, "running")
    _renew(world, instance, now_ms, ("toRestart", "restarting"), world.settings.restart_seconds)


def reset(world: World, instance: Instance, now_ms: int) -> None:
    """The steps of an upgrade: a new container on the same id."""
    _require(world, instance, now_ms, "running", "exited")
    require_money(world)
    needs_gpu = instance.status(now_ms) == "exited"
    if needs_gpu and _free(world, instance, instance.cluster_id) < instance.units():
        raise out_of_stock(instance.product_id)
    _clear(world, instance, now_ms)
    _renew(world, instance, now_ms, ("toReset", "resetting"), world.settings.start_seconds)


def migrate(world: World, instance: Instance, now_ms: int) -> None:
    """To the same cluster if it has room, else to the one with the most; the id stays."""
    _require(world, instance, now_ms, "exited")
    require_money(world)
    moving.migrate(world, instance, now_ms)
    _clear(world, instance, now_ms)
    world.changed(instance, now_ms)


def delete(world: World, instance: Instance, now_ms: int) -> None:
    """Allowed in any status; once removed, refused like an id that never existed."""
    if instance.status(now_ms) == "removed":
        raise not_found(world, instance.id)
    if instance.billing_mode == "monthly" and now_ms < instance.end_ms:
        reason = "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE"
        raise refused(reason, "prepaid instance does not support release")
    if world.settings.delete_ignored or instance.status(now_ms) in ("toRemove", "removing"):
        return
    end_ms = round(world.settings.remove_seconds * 1000)
    gone_ms = end_ms + round(world.settings.removed_visible_seconds * 1000)
    steps = [(0, "toRemove"), (end_ms // 2, "removing"), (end_ms, "removed"), (gone_ms, GONE)]
    world.replan(instance, now_ms, steps)


def _require(world: World, instance: Instance, now_ms: int, *statuses: str) -> None:
    if instance.status(now_ms) not in statuses:
        raise refused(world.settings.wrong_state_reason, "invalid state change")


def _free(world: World, instance: Instance, cluster_id: str) -> int:
    product = world.products[instance.product_id]
    return world.stock.free(product, cluster_id, instance.billing_mode, buying=True)


def _clear(world: World, instance: Instance, now_ms: int) -> None:
    """A new start: no failure, no reclaim."""
    instance.errors = [entry for entry in instance.errors if entry[0] <= now_ms]
    if instance.errors:
        instance.errors.append([now_ms, "", ""])
    forget_reclaim(world, instance, now_ms, restart=True)


def _renew(
    world: World, instance: Instance, now_ms: int, words: tuple[str, str], seconds: float
) -> None:
    end_ms = round(seconds * 1000)
    world.replan(instance, now_ms, [(0, words[0]), (end_ms // 4, words[1]), (end_ms, "running")])
