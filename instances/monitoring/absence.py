"""When something is gone at Novita: two theorems, in words in docs/absence.md.

What was asked to end needs Novita's word twice, or refusals and lists that agree. What nobody asked
to end needs time and passes that agree as well, and is taken back if it is seen again. Above are
pure functions of what was seen, below is what they mean for a row.
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

# Two looks that are nearer to each other than this count as one.
BETWEEN_LOOKS = timedelta(seconds=10)
BETWEEN_LISTS = timedelta(seconds=30)
# Passes that must agree before what nobody asked to end is concluded to be gone.
PASSES = 3
REFUSALS = 3
LISTS = 2
# Less certain evidence needs this many times ABSENCE_AFTER.
PATIENCE = 6


@dataclass(frozen=True, slots=True)
class Trail:
    """Passes since the last sighting of what nobody asked to end."""

    since: datetime | None = None
    last_at: datetime | None = None
    passes: int = 0
    agreeing: int = 0


@dataclass(frozen=True, slots=True)
class AskedTrail:
    """Looks since the last sighting of what was asked to end."""

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
    """``after``: ABSENCE_AFTER. ``longest_gap``: between two passes of one trail; a longer one
    begins it anew. ``is_mass``: too many are missing at once. ``is_accepted``: an operator said
    that it is true.
    """

    after: timedelta
    longest_gap: timedelta
    is_mass: bool = False
    is_accepted: bool = False


def weigh(trail: Trail, seen: Pass, now: datetime, limits: Limits) -> tuple[Trail, bool]:
    """The second theorem, for what nobody asked to end: the new trail, and whether it is gone."""
    if seen.evidence == Evidence.SEEN:
        return Trail(), False
    if not seen.is_absence or (seen.is_doubted and trail.since is None):
        return trail, False
    if trail.last_at is not None and now - trail.last_at < BETWEEN_LOOKS:
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
    # Its own word alone, after the longer time: a better witness may never come.
    is_word = seen.evidence == Evidence.SAID_GONE or seen.list_word == ListWord.EMPTY
    is_enough = (seen.agrees or is_word) and trail.passes >= PASSES
    return is_enough and waited >= limits.after * PATIENCE


def weigh_asked(
    trail: AskedTrail, seen: Pass, now: datetime, after: timedelta
) -> tuple[AskedTrail, bool]:
    """The first theorem, for what was asked to end: the new trail, and whether it is gone."""
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
    """Lists that lack it, each BETWEEN_LISTS after the one before."""
    if seen.list_word == ListWord.SHOWS:
        return replace(trail, lists=0, list_at=None)
    is_news = trail.list_at is None or now - trail.list_at >= BETWEEN_LISTS
    if seen.list_word == ListWord.LACKS and not seen.is_doubted and is_news:
        return replace(trail, lists=trail.lists + 1, list_at=now)
    return trail


def _is_unlisted_long(trail: AskedTrail, after: timedelta) -> bool:
    """Lists that see have lacked it for ``after``, though no look by id brings Novita's word."""
    return trail.lists > max(LISTS, after / BETWEEN_LISTS)


def _is_said_gone(trail: AskedTrail, seen: Pass, now: datetime, after: timedelta) -> bool:
    """Twice, some time apart, while the list works."""
    if seen.evidence != Evidence.SAID_GONE or trail.said_gone_at is None:
        return False
    return now - trail.said_gone_at >= (after if seen.is_doubted else BETWEEN_LOOKS)


def _is_refused_long(trail: AskedTrail, seen: Pass, now: datetime, after: timedelta) -> bool:
    """Refused REFUSALS times, in any words, while lists do not show it."""
    if trail.refused_since is None or trail.refusals < REFUSALS:
        return False
    if seen.list_word == ListWord.LACKS and trail.lists >= LISTS:
        return True
    is_whole = seen.list_word in (ListWord.LACKS, ListWord.EMPTY)
    return now - trail.refused_since >= (after if is_whole else after * PATIENCE)


# What they mean for a row


def absence_after() -> timedelta:
    return timedelta(seconds=settings.CONFIG.absence_after)


def limits(*, is_mass: bool, is_accepted: bool) -> Limits:
    interval = timedelta(seconds=settings.CONFIG.reconcile_interval)
    after = absence_after()
    return Limits(after, longest_gap=after + 2 * interval, is_mass=is_mass, is_accepted=is_accepted)


def is_perhaps_too_young(instance: Instance, now: datetime) -> bool:
    """Made a moment ago and never seen: Novita may not show it yet, so not finding it proves
    nothing before CREATE_SETTLE is over.
    """
    if instance.upstream_seen_at is not None or instance.posted_at is None:
        return False
    return now < instance.posted_at + timedelta(seconds=settings.CONFIG.create_settle)


def suspect(instance: Instance, *, cause: Cause, now: datetime) -> None:
    """A look did not find it, and nobody asked for its end: its reason and an event say so, and
    from here the reconciler weighs what it sees. Nothing is concluded here.
    """
    if instance.absence_seen_at is not None or is_perhaps_too_young(instance, now):
        return
    instance.absence_seen_at = now
    _say_unseen(instance)
    record_event(instance, "instance.unseen", cause=cause, now=now)


def note_sighting(instance: Instance, *, now: datetime) -> None:
    """It is there: the trail of its absence is cleared, and its earlier reason restored."""
    if instance.absence_seen_at is None:
        return
    data = {"unseenSince": iso(instance.absence_seen_at)}
    instance.absence_seen_at = instance.absence_looked_at = None
    instance.absence_looks = instance.absence_lists = 0
    if instance.reason_code == StatusReason.NOT_SEEN_AT_NOVITA:
        _restore_reason(instance)
    cause = Cause("worker", "Novita shows it again")
    record_event(instance, "instance.seen_again", cause=cause, now=now, data=data)


def judge_unasked(
    instance: Instance, seen: Pass, *, cause: Cause, now: datetime, limits: Limits
) -> bool:
    """Weigh one pass of the reconciler, write what follows; whether it is concluded to be gone."""
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
    """What the watch of moving instances has not found begins here only: it sees no list."""
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
    """It is gone, and nobody here had it ended: terminated, or a failed one that was kept."""
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
    """Why it is in its status, as the event of that change of status told."""
    event = instance.events.filter(to_status=instance.status).order_by("-sequence").first()
    data = event.data if event is not None else {}
    is_failed = instance.status == InstanceStatus.FAILED
    instance.reason_code = "" if is_failed else str(data.get("code", ""))
    instance.reason_message = "" if is_failed else str(data.get("message", ""))
