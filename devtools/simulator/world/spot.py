"""The steps of a reclaimed spot instance: notified, reclaiming, terminated (and exited)."""

from __future__ import annotations

from devtools.simulator.world.records import Instance
from devtools.simulator.world.timeline import REMOVAL, cut, phase_at
from devtools.simulator.world.world import World


def plan_reclaim(
    world: World,
    instance: Instance,
    now_ms: int,
    notice_ms: int,
    notice_seconds: float | None = None,
) -> None:
    """Add the notice, the reclaim and the end to the future of the instance.

    Not if it holds no GPU at that time, or is being removed: a delete or a stop is never undone.
    """
    settings = world.settings
    seconds = settings.spot_notice_seconds if notice_seconds is None else notice_seconds
    reclaim_ms = notice_ms + round(seconds * 1000)
    end_ms = reclaim_ms + round(settings.spot_reclaiming_seconds * 1000)
    found = phase_at(instance.timeline, reclaim_ms)
    if not found.held or found.status in REMOVAL:
        return
    instance.spot = [entry for entry in instance.spot if entry[0] <= now_ms]
    instance.spot += [
        [notice_ms, "notified", reclaim_ms],
        [reclaim_ms, "reclaiming", reclaim_ms],
        [end_ms, "terminated", reclaim_ms],
    ]
    ahead = instance.timeline[len(cut(instance.timeline, now_ms)) :]
    steps = [(phase.at_ms - now_ms, phase.status) for phase in ahead if phase.at_ms < reclaim_ms]
    world.replan(
        instance,
        now_ms,
        [*steps, (reclaim_ms - now_ms, "stopping"), (end_ms - now_ms, "exited")],
    )


def withdraw(world: World, instance: Instance, now_ms: int) -> None:
    """Withdraw the notice: the instance is neither stopped nor ended."""
    begun = [entry for entry in instance.spot if entry[0] <= now_ms]
    instance.spot = [*begun, [now_ms, "running", 0]]
    ahead = instance.timeline[len(cut(instance.timeline, now_ms)) :]
    steps = [(p.at_ms - now_ms, p.status) for p in ahead if p.status not in ("stopping", "exited")]
    world.replan(instance, now_ms, [(0, instance.status(now_ms)), *steps])


def forget_reclaim(world: World, instance: Instance, now_ms: int, *, restart: bool) -> None:
    """After a user's stop no reclaim is planned; after a start the steps begin again."""
    instance.spot = [entry for entry in instance.spot if entry[0] <= now_ms]
    if world.settings.spot_status_left_over:
        return
    if instance.spot and (restart or instance.spot[-1][1] == "notified"):
        instance.spot.append([now_ms, "running", 0])
