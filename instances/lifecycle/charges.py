"""Cost of an instance: charged periods by Novita's times, or else by times of observation.

Charged: the seconds from the image pull until a stop is complete or a deletion is accepted
(Novita's billing guide), at the price that Novita names for the instance.
"""

from datetime import datetime, timedelta

from instances.domain.money import cost_e5_usd
from instances.models import Instance
from upstream.types import UpstreamInstance
from upstream.vocabulary import STATUSES

CHARGED_WORDS = frozenset(
    {"pulling", "running", "toStop", "stopping"}
    | {"toRestart", "restarting", "toReset", "resetting"}
)
# Words that end a charged period. Words in neither set (`migrating`, unknown words) leave the
# period as it is.
FREE_WORDS = STATUSES.words - CHARGED_WORDS - {"migrating"}


def note(instance: Instance, seen: UpstreamInstance, *, now: datetime) -> None:
    """Open or close a charged period by an observation. Saves nothing.

    Call before ``upstream_seen_at`` is updated: the change happened between the two observations.
    """
    if seen.price_e5_usd and seen.price_e5_usd != instance.price_e5_usd:
        _reprice(instance, seen.price_e5_usd, now)
    is_charged = seen.status in CHARGED_WORDS
    if is_charged and instance.billing_since is None:
        began = _began(instance, seen, now)
        instance.billing_since = began
        _begin_lifetime(instance, began)
    elif seen.status in FREE_WORDS:
        close(instance, _between(_last_observation(instance), now, seen.last_stopped_at))


def close(instance: Instance, at: datetime) -> None:
    """Close the charged period, if one is open. Saves nothing."""
    if instance.billing_since is not None:
        instance.closed_cost_e5_usd += _open_cost(instance, at)
        instance.billing_since = None


def go_on(instance: Instance, seen: UpstreamInstance) -> None:
    """Reopen the charged period of a GPU whose deletion was assumed, if Novita charges for it.

    It counts from the last observation that showed the GPU. Saves nothing; call before ``note``.
    """
    was_charged = instance.upstream_status in (*CHARGED_WORDS, "removed")
    if instance.billing_since is None and was_charged and seen.status in CHARGED_WORDS:
        instance.billing_since = instance.upstream_seen_at


def take_back(instance: Instance, seen: UpstreamInstance, *, now: datetime) -> None:
    """Reopen the charged period of an instance that was concluded to be gone and reappeared.

    From Novita's start time if that is later than the disappearance, else without a gap. Saves
    nothing; call before ``absence_seen_at`` is cleared.
    """
    if seen.status in CHARGED_WORDS and instance.billing_since is None:
        told, left_at = seen.last_started_at, _left_at(instance, now)
        has_restarted = told is not None and left_at < told <= now
        instance.billing_since = told if has_restarted else left_at
    note(instance, seen, now=now)


def close_unseen(instance: Instance, absent_at: datetime) -> None:
    """Close the period between the last observation of the GPU and the first without it.

    Saves nothing.
    """
    close(instance, _left_at(instance, absent_at))


def cost_so_far_e5_usd(instance: Instance, now: datetime) -> int:
    """Cost in 1/100,000 USD; constant while Novita does not show the instance.

    The cost of that time is added if the instance reappears.
    """
    if instance.absence_seen_at is not None:
        now = min(now, _left_at(instance, now))
    return instance.closed_cost_e5_usd + _open_cost(instance, now)


def _left_at(instance: Instance, now: datetime) -> datetime:
    return _between(_last_observation(instance), instance.absence_seen_at or now, None)


def _begin_lifetime(instance: Instance, began: datetime) -> None:
    """Set the first charged second and, from it, the end of the runtime limit."""
    if instance.started_at is None:
        instance.started_at = began
    if instance.expires_at is None and instance.max_runtime_minutes:
        lifetime = timedelta(minutes=instance.max_runtime_minutes)
        instance.expires_at = instance.started_at + lifetime


def _reprice(instance: Instance, price_e5_usd: int, now: datetime) -> None:
    """Close the period at the old price: the new price applies from ``now``."""
    since = instance.billing_since
    if since is not None and instance.price_e5_usd is not None and instance.ready_at is not None:
        close(instance, now)
        instance.billing_since = now
    instance.price_e5_usd = price_e5_usd


def _began(instance: Instance, seen: UpstreamInstance, now: datetime) -> datetime:
    """Middle between the last observation and Novita's start time, or now: pulls are charged."""
    earlier, told = _last_observation(instance), seen.last_started_at
    is_told = seen.is_running and told is not None and earlier <= told <= now
    return _between(earlier, told if is_told and told else now, None)


def _last_observation(instance: Instance) -> datetime:
    return instance.upstream_seen_at or instance.posted_at or instance.created_at


def _between(earlier: datetime, now: datetime, told: datetime | None) -> datetime:
    """Novita's time if it lies between the two observations, else the middle between them."""
    if told is not None and earlier <= told <= now:
        return told
    return earlier + max(now - earlier, timedelta(0)) / 2


def _open_cost(instance: Instance, now: datetime) -> int:
    if instance.billing_since is None or instance.price_e5_usd is None:
        return 0
    seconds = max((now - instance.billing_since).total_seconds(), 0)
    return cost_e5_usd(instance.price_e5_usd, instance.gpu_num, int(seconds))
