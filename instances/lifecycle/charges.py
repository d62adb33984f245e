"""What an instance costs, by Novita's clock where it tells the time, else by when we looked.

Charged are the seconds from the pull of the image until a stop is complete or a deletion is
accepted (Novita's billing guide), at the price that Novita names for the instance.
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
# Not charged. A word that is neither (`migrating`, one that is not known here) leaves the period as
# it was: only the word of a stop or of an end stops the charge.
FREE_WORDS = STATUSES.words - CHARGED_WORDS - {"migrating"}


def note(instance: Instance, seen: UpstreamInstance, *, now: datetime) -> None:
    """Open or close a charged period by what one look showed. Saves nothing.

    Call before ``upstream_seen_at`` moves on: the change happened between that look and this one.
    """
    if seen.price_e5_usd and seen.price_e5_usd != instance.price_e5_usd:
        _reprice(instance, seen.price_e5_usd, now)
    is_charged = seen.status in CHARGED_WORDS
    if is_charged and instance.billing_since is None:
        began = _began(instance, seen, now)
        instance.billing_since = began
        _begin_lifetime(instance, began)
    elif seen.status in FREE_WORDS:
        close(instance, _between(_last_look(instance), now, seen.last_stopped_at))


def close(instance: Instance, at: datetime) -> None:
    """End the charged period, if one is open. Saves nothing."""
    if instance.billing_since is not None:
        instance.closed_cost_e5_usd += _open_cost(instance, at)
        instance.billing_since = None


def go_on(instance: Instance, seen: UpstreamInstance) -> None:
    """It was taken to be gone, and is charged: it was charged all the time since the look that
    showed it last. Saves nothing; call before ``note``.
    """
    was_charged = instance.upstream_status in (*CHARGED_WORDS, "removed")
    if instance.billing_since is None and was_charged and seen.status in CHARGED_WORDS:
        instance.billing_since = instance.upstream_seen_at


def take_back(instance: Instance, seen: UpstreamInstance, *, now: datetime) -> None:
    """It was concluded to be gone and is there: if it is charged, and Novita names no later start,
    it was charged all the time. Saves nothing; call while ``absence_seen_at`` is still known.
    """
    if seen.status in CHARGED_WORDS and instance.billing_since is None:
        told, left_at = seen.last_started_at, _left_at(instance, now)
        has_restarted = told is not None and left_at < told <= now
        instance.billing_since = told if has_restarted else left_at
    note(instance, seen, now=now)


def close_unseen(instance: Instance, absent_at: datetime) -> None:
    """It left between the last look that showed it and the first that did not. Saves nothing."""
    close(instance, _left_at(instance, absent_at))


def cost_so_far_e5_usd(instance: Instance, now: datetime) -> int:
    """In 1/100,000 USD. Stands still while Novita does not show it; what it cost meanwhile is added
    when it is seen again.
    """
    if instance.absence_seen_at is not None:
        now = min(now, _left_at(instance, now))
    return instance.closed_cost_e5_usd + _open_cost(instance, now)


def _left_at(instance: Instance, now: datetime) -> datetime:
    return _between(_last_look(instance), instance.absence_seen_at or now, None)


def _begin_lifetime(instance: Instance, began: datetime) -> None:
    """The first charged second: what may run for so long ends so long after it."""
    if instance.started_at is None:
        instance.started_at = began
    if instance.expires_at is None and instance.max_runtime_minutes:
        lifetime = timedelta(minutes=instance.max_runtime_minutes)
        instance.expires_at = instance.started_at + lifetime


def _reprice(instance: Instance, price_e5_usd: int, now: datetime) -> None:
    """The past keeps its price."""
    since = instance.billing_since
    if since is not None and instance.price_e5_usd is not None and instance.ready_at is not None:
        close(instance, now)
        instance.billing_since = now
    instance.price_e5_usd = price_e5_usd


def _began(instance: Instance, seen: UpstreamInstance, now: datetime) -> datetime:
    """Between the two looks; before the moment it ran, since the pull is charged as well."""
    earlier, told = _last_look(instance), seen.last_started_at
    is_told = seen.is_running and told is not None and earlier <= told <= now
    return _between(earlier, told if is_told and told else now, None)


def _last_look(instance: Instance) -> datetime:
    return instance.upstream_seen_at or instance.posted_at or instance.created_at


def _between(earlier: datetime, now: datetime, told: datetime | None) -> datetime:
    """The moment that Novita told, if it can be true; else the middle of the two looks."""
    if told is not None and earlier <= told <= now:
        return told
    return earlier + max(now - earlier, timedelta(0)) / 2


def _open_cost(instance: Instance, now: datetime) -> int:
    if instance.billing_since is None or instance.price_e5_usd is None:
        return 0
    seconds = max((now - instance.billing_since).total_seconds(), 0)
    return cost_e5_usd(instance.price_e5_usd, instance.gpu_num, int(seconds))
