"""Concludes that a GPU is gone at Novita, by the two rules of docs/absence.md.

With a request to end it: Novita says so twice, or it refuses the id and lists agree. Without one:
time and several agreeing passes, and it is taken back if it is seen again. First the pure
functions, then their effect on rows.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings

from core.clock import iso
from instances.domain.enums import InstanceStatus, StatusReason
from instances.domain.types import Cause, Reason
from instances.lifecycle import charges
from instances.lifecycle.transitions import change_status, record_event
from instances.models import Instance
from instances.monitoring.evidence import Evidence, ListWord, Pass

# Gets by id closer together than this count as one.
BETWEEN_OBSERVATIONS = timedelta(seconds=10)
BETWEEN_LISTS = timedelta(seconds=30)
# Agreeing passes needed to conclude that an instance is gone without a request to end it.
PASSES = 3
REFUSALS = 3
LISTS = 2
# Factor on ABSENCE_AFTER for less certain evidence.
PATIENCE = 6


@dataclass(frozen=True, slots=True)
class Trail:
    """Passes since the last observation of an instance without a request to end it."""

    since: datetime | None = None
    last_at: datetime | None = None
    passes: int = 0
    agreeing: int = 0


@dataclass(frozen=True, slots=True)
class AskedTrail:
    """Gets by id and lists since the last observation of a GPU that was requested to end."""

    said_gone_at: datetime | None = None
    refused_since: datetime | None = None
    refusals: int = 0
    lists: int = 0
    list_at: datetime | None = None

    @property
    def is_suspect(self) -> bool:
        return self.said_gone_at is not None or self.refused_since is not None


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for a conclusion of absence.

    ``after``: ABSENCE_AFTER. ``longest_gap``: after a longer time between two passes, the trail
    starts again. ``is_mass``: the mass guard is on. ``is_accepted``: an operator has confirmed the
    absence.
    """

    after: timedelta
    longest_gap: timedelta
    is_mass: bool = False
    is_accepted: bool = False


def weigh(trail: Trail, seen: Pass, now: datetime, limits: Limits) -> tuple[Trail, bool]:
    """*Instances without a requested termination*: the new trail, and whether the GPU is gone."""
    if seen.evidence == Evidence.SEEN:
        return Trail(), False
    if not seen.is_absence or (seen.is_doubted and trail.since is None):
        return trail, False
    if trail.last_at is not None and now - trail.last_at < BETWEEN_OBSERVATIONS:
        return trail, False
    if trail.last_at is not None and now - trail.last_at > limits.longest_gap:
        trail = Trail()
    new = Trail(
        since=trail.since or now,
        last_at=now,
        passes=trail.passes + 1,
        agreeing=trail.agreeing + seen.agrees,
    )
    return new, _is_gone(new, seen, now, limits)


def _is_gone(trail: Trail, seen: Pass, now: datetime, limits: Limits) -> bool:
    waited = now - (trail.since or now)
    if limits.is_accepted:
        return seen.agrees and trail.agreeing >= LISTS
    if seen.agrees and trail.agreeing >= PASSES and not limits.is_mass:
        return waited >= limits.after
    # Novita's word alone counts after the longer time, since better evidence may never come.
    is_word = seen.evidence == Evidence.SAID_GONE or seen.list_word == ListWord.EMPTY
    is_enough = (seen.agrees or is_word) and trail.passes >= PASSES
    return is_enough and waited >= limits.after * PATIENCE


def weigh_asked(
    trail: AskedTrail, seen: Pass, now: datetime, after: timedelta
) -> tuple[AskedTrail, bool]:
    """*Instances with a requested termination*: the new trail, and whether the GPU is gone."""
    if seen.evidence == Evidence.SEEN:
        return AskedTrail(), False
    if seen.evidence == Evidence.NOTHING:
        new = _listed(trail, seen, now)
        return new, _is_unlisted_long(new, after)
    new = _noted(trail, seen, now)
    if not seen.is_absence:
        return new, False
    return new, _is_said_gone(trail, seen, now, after) or _is_refused_long(new, seen, now, after)


def _noted(trail: AskedTrail, seen: Pass, now: datetime) -> AskedTrail:
    new = replace(trail, refused_since=trail.refused_since or now, refusals=trail.refusals + 1)
    if seen.evidence == Evidence.SAID_GONE:
        new = replace(new, said_gone_at=trail.said_gone_at or now)
    return _listed(new, seen, now)


def _listed(trail: AskedTrail, seen: Pass, now: datetime) -> AskedTrail:
    """Count lists that lack the GPU, at intervals of BETWEEN_LISTS or more."""
    if seen.list_word == ListWord.SHOWS:
        return replace(trail, lists=0, list_at=None)
    is_apart = trail.list_at is None or now - trail.list_at >= BETWEEN_LISTS
    if seen.list_word == ListWord.LACKS and not seen.is_doubted and is_apart:
        return replace(trail, lists=trail.lists + 1, list_at=now)
    return trail


def _is_unlisted_long(trail: AskedTrail, after: timedelta) -> bool:
    """Whether undoubted lists have lacked it for ``after``, whatever gets by id return."""
    return trail.lists > max(LISTS, after / BETWEEN_LISTS)


def _is_said_gone(trail: AskedTrail, seen: Pass, now: datetime, after: timedelta) -> bool:
    """Novita said so twice, BETWEEN_OBSERVATIONS apart, while the list works."""
    if seen.evidence != Evidence.SAID_GONE or trail.said_gone_at is None:
        return False
    return now - trail.said_gone_at >= (after if seen.is_doubted else BETWEEN_OBSERVATIONS)


def _is_refused_long(trail: AskedTrail, seen: Pass, now: datetime, after: timedelta) -> bool:
    """Refused REFUSALS times or more, in any words, while lists do not show it."""
    if trail.refused_since is None or trail.refusals < REFUSALS:
        return False
    if seen.list_word == ListWord.LACKS and trail.lists >= LISTS:
        return True
    is_whole = seen.list_word in (ListWord.LACKS, ListWord.EMPTY)
    return now - trail.refused_since >= (after if is_whole else after * PATIENCE)


# Effect on rows


def absence_after() -> timedelta:
    return timedelta(seconds=settings.CONFIG.absence_after)


def limits(*, is_mass: bool, is_accepted: bool) -> Limits:
    interval = timedelta(seconds=settings.CONFIG.reconcile_interval)
    after = absence_after()
    return Limits(after, longest_gap=after + 2 * interval, is_mass=is_mass, is_accepted=is_accepted)


def is_perhaps_too_young(instance: Instance, now: datetime) -> bool:
    """Created within CREATE_SETTLE and never seen: Novita may not show it yet."""
    if instance.upstream_seen_at is not None or instance.posted_at is None:
        return False
    return now < instance.posted_at + timedelta(seconds=settings.CONFIG.create_settle)


def suspect(instance: Instance, *, cause: Cause, now: datetime) -> None:
    """Record that an instance without a request to end was not found: reason and event.

    Concludes nothing; from here on the reconciler evaluates each pass.
    """
    if instance.absence_seen_at is not None or is_perhaps_too_young(instance, now):
        return
    instance.absence_seen_at = now
    _say_unseen(instance)
    record_event(instance, "instance.unseen", cause=cause, now=now)


def note_observation(instance: Instance, *, now: datetime) -> None:
    """Record that Novita shows the instance: clear the trail of absence, restore its reason."""
    if instance.absence_seen_at is None:
        return
    data = {"unseenSince": iso(instance.absence_seen_at)}
    instance.absence_seen_at = instance.absence_looked_at = None
    instance.absence_looks = instance.absence_lists = 0
    if instance.reason_code == StatusReason.NOT_SEEN_AT_NOVITA:
        _restore_reason(instance)
    cause = Cause("worker", "Novita shows it again")
    record_event(instance, "instance.seen_again", cause=cause, now=now, data=data)


def evaluate_unasked(
    instance: Instance, seen: Pass, *, cause: Cause, now: datetime, limits: Limits
) -> bool:
    """Evaluate one pass of the reconciler and save the result. True if concluded to be gone."""
    if is_perhaps_too_young(instance, now):
        return False
    before = _trail(instance)
    trail, is_gone = weigh(before, seen, now, limits)
    if trail == before:
        return False
    suspect(instance, cause=cause, now=now)
    _say_unseen(instance)
    instance.absence_seen_at, instance.absence_looked_at = trail.since, trail.last_at
    instance.absence_looks, instance.absence_lists = trail.passes, trail.agreeing
    if is_gone:
        conclude(instance, cause=cause, now=now)
    else:
        instance.save()
    return is_gone


def _trail(instance: Instance) -> Trail:
    """The saved trail; only the reconciler's passes count: monitor jobs read no whole list."""
    if not instance.absence_looks:
        return Trail()
    return Trail(
        instance.absence_seen_at,
        instance.absence_looked_at,
        instance.absence_looks,
        instance.absence_lists,
    )


def _say_unseen(instance: Instance) -> None:
    if instance.reason_code != StatusReason.NOT_SEEN_AT_NOVITA:
        instance.reason_code = StatusReason.NOT_SEEN_AT_NOVITA
        instance.reason_message = f"Novita has not shown it since {_moment(instance)}."


def conclude(instance: Instance, *, cause: Cause, now: datetime) -> None:
    """Conclude that it is gone without a request: terminated; a kept failed one stays failed."""
    charges.close_unseen(instance, instance.absence_seen_at or now)
    instance.upstream_gone_at = now
    message = "It was deleted at Novita."
    if instance.absence_seen_at is not None:
        message = f"It was deleted at Novita, which has not shown it since {_moment(instance)}."
    if instance.status == InstanceStatus.FAILED:
        if instance.reason_code == StatusReason.NOT_SEEN_AT_NOVITA:
            _restore_reason(instance)
        record_event(instance, "instance.gone", cause=cause, now=now, is_told=True)
        return
    reason = Reason(StatusReason.DELETED_AT_NOVITA, message)
    instance.action = ""
    change_status(instance, InstanceStatus.TERMINATED, cause=cause, now=now, reason=reason)


def _moment(instance: Instance) -> str:
    return iso(instance.absence_seen_at) if instance.absence_seen_at is not None else ""


def _restore_reason(instance: Instance) -> None:
    """Restore the reason of the status from the event of its last change."""
    event = instance.events.filter(to_status=instance.status).order_by("-sequence").first()
    data = event.data if event is not None else {}
    is_failed = instance.status == InstanceStatus.FAILED
    instance.reason_code = "" if is_failed else str(data.get("code", ""))
    instance.reason_message = "" if is_failed else str(data.get("message", ""))
