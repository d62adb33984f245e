"""Loads and saves the spot history of a row, and writes the events of notices."""

from datetime import datetime

from core.clock import iso
from instances.domain.enums import BillingMode, InstanceStatus
from instances.domain.types import Cause
from instances.lifecycle.transitions import record_event
from instances.models import Instance
from instances.monitoring import spot
from instances.monitoring.spot import SpotHistory, SpotSaid, Told
from upstream.facts import Fact
from upstream.types import UpstreamInstance

_WORDS = {
    Told.NOTICE: "Novita gave notice that it will take the spot instance back",
    Told.TIME: "Novita said when it will take the spot instance back",
    Told.WITHDRAWN: "Novita withdrew the notice of the spot reclaim",
}


def tell_notice(instance: Instance, seen: UpstreamInstance, cause: Cause, now: datetime) -> None:
    """Evaluate a running instance's spot fields; one event for each change of a notice."""
    after, told = spot.decide(_history(instance, seen), _said(seen), now)
    known_time = instance.spot_reclaim_at
    _write(instance, after)
    if told is Told.NOTHING:
        return
    time = after.reclaim_at or (known_time if told is Told.WITHDRAWN else None)
    because = Cause(cause.actor, _WORDS[told], cause.request_id, cause.job_id)
    data = {"spotReclaimAt": iso(time)} if time else {}
    record_event(instance, told.value, cause=because, now=now, data=data, is_told=True)


def is_reclaim(instance: Instance, seen: UpstreamInstance, now: datetime) -> bool:
    """Whether the stop was a spot reclaim, by the history before this observation."""
    return spot.is_reclaim(_history(instance, seen), _said(seen), now)


def rest(instance: Instance, seen: UpstreamInstance) -> None:
    """End a notice after a stop; its remains are no evidence in the next run. Saves nothing."""
    _write(instance, spot.at_rest(_history(instance, seen), _said(seen)))


def _history(instance: Instance, seen: UpstreamInstance) -> SpotHistory:
    is_told = instance.spot_reclaim_at is not None
    is_up = instance.status == InstanceStatus.RUNNING
    return SpotHistory(
        is_spot=(seen.billing_mode or instance.billing_mode) == BillingMode.SPOT,
        word=instance.spot_status,
        # Release 0.5.0 saved only the time of a notice.
        noticed_at=instance.spot_noticed_at or (instance.upstream_changed_at if is_told else None),
        reclaim_at=instance.spot_reclaim_at,
        past_at=instance.spot_past_at,
        running_since=instance.status_changed_at if is_up else None,
    )


def _said(seen: UpstreamInstance) -> SpotSaid:
    return SpotSaid(
        word=seen.spot_status.strip().lower()[:40] if Fact.SPOT_STATUS in seen.facts else None,
        time=seen.spot_reclaim_at,
        is_time_said=Fact.SPOT_RECLAIM_TIME in seen.facts,
    )


def _write(instance: Instance, history: SpotHistory) -> None:
    instance.spot_status = history.word
    instance.spot_noticed_at = history.noticed_at
    instance.spot_reclaim_at = history.reclaim_at
    instance.spot_past_at = history.past_at
