"""Whether Novita gave notice of a spot reclaim, took it back, or carried it out. Pure.

Status (``spotStatus``) and time (``spotReclaimTime``) are two witnesses. Either may be missing,
come late, or be left over from an earlier reclaim: both are judged against the instance's history.

none -> notice -> (time) -> withdrawn, or -> stopped. A notice stands until Novita says otherwise.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

NOTICE_WORDS = frozenset({"notified", "reclaiming"})
RECLAIM_WORDS = frozenset({"reclaiming", "terminated"})
# Novita's clock and ours.
SLACK = timedelta(minutes=1)
# A time further ahead than this is no notice by itself: notices come an hour ahead.
HORIZON = timedelta(hours=24)
# The hour that a notice without a time leaves, by Novita's guide.
NOTICE = timedelta(hours=1)
# A notice that rests on a time alone is over this long after that time.
OVERDUE = timedelta(minutes=30)
# A time is told again only if it moved by at least this much.
MOVED = timedelta(minutes=5)


class Told(StrEnum):
    """What a look makes to be told."""

    NOTHING = ""
    NOTICE = "instance.spot_notice"
    TIME = "instance.spot_notice_updated"
    WITHDRAWN = "instance.spot_notice_withdrawn"


@dataclass(frozen=True, slots=True)
class SpotHistory:
    """What is known before a look. ``word``: the last status that Novita said. ``noticed_at``:
    since when a notice stands, ``reclaim_at`` its time. ``past_at``: a time that means nothing any
    more. ``running_since``: a reclaim before that was another one.
    """

    is_spot: bool = True
    word: str = ""
    noticed_at: datetime | None = None
    reclaim_at: datetime | None = None
    past_at: datetime | None = None
    running_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class SpotSaid:
    """What a look said. ``word``: None if it did not speak of it. ``time``: None for "0"."""

    word: str | None = None
    time: datetime | None = None
    is_time_said: bool = True


def decide(history: SpotHistory, said: SpotSaid, now: datetime) -> tuple[SpotHistory, Told]:
    """What a look at a running instance means for the notice, and the history after it."""
    word = history.word if said.word is None else said.word
    time = _time_ahead(history, said, word, now)
    stands = history.is_spot and _stands(history, said, word, time, now)
    after = replace(history, word=word)
    if not stands:
        is_over = history.noticed_at is not None
        after = replace(
            after, noticed_at=None, reclaim_at=None, past_at=_passed(history, said, now, is_over)
        )
        return after, Told.WITHDRAWN if is_over else Told.NOTHING
    if history.noticed_at is None:
        return replace(after, noticed_at=now, reclaim_at=time), Told.NOTICE
    if time is not None and _has_moved(history.reclaim_at, time):
        return replace(after, reclaim_at=time), Told.TIME
    return after, Told.NOTHING


def is_reclaim(history: SpotHistory, said: SpotSaid, now: datetime) -> bool:
    """Whether a stop that nobody asked for here was a reclaim: by a word that came with it, or by
    a time that has come.
    """
    if not history.is_spot:
        return False
    time = said.time or history.reclaim_at
    is_old_time = time is not None and _is_left_over(history, time)
    if said.word in RECLAIM_WORDS:
        is_new = history.word not in ("", said.word) or (not history.word and not is_old_time)
        if is_new or history.noticed_at is not None:
            return True
    if time is not None:
        return not is_old_time and time <= now + SLACK
    is_hour_over = history.noticed_at is not None and now + SLACK >= history.noticed_at + NOTICE
    word = history.word if said.word is None else said.word
    return is_hour_over and word in NOTICE_WORDS


def at_rest(history: SpotHistory, said: SpotSaid) -> SpotHistory:
    """It stopped, for any reason: the notice is over, and what it leaves behind proves nothing
    about the next run.
    """
    return replace(
        history,
        word=history.word if said.word is None else said.word,
        noticed_at=None,
        reclaim_at=None,
        past_at=said.time or history.reclaim_at or history.past_at,
    )


def _stands(
    history: SpotHistory, said: SpotSaid, word: str, time: datetime | None, now: datetime
) -> bool:
    is_noticed = history.noticed_at is not None
    if word in NOTICE_WORDS:
        # The same word without a notice is left over from before a stop.
        return is_noticed or word != history.word or time is not None
    if not is_noticed:
        return time is not None
    if word == "running" and history.word != "running":
        return False
    if said.is_time_said and said.time is None and word in ("", "running"):
        return False
    return now <= _end(history) + OVERDUE


def _end(history: SpotHistory) -> datetime:
    """When the notice that stands comes true."""
    assert history.noticed_at is not None  # noqa: S101
    return history.reclaim_at or history.noticed_at + NOTICE


def _time_ahead(history: SpotHistory, said: SpotSaid, word: str, now: datetime) -> datetime | None:
    """A time that lies ahead and is none of an earlier notice; without a word for a notice, only
    one that is near.
    """
    time = said.time
    if time is None or time <= now or time == history.past_at or not history.is_spot:
        return None
    return time if word in NOTICE_WORDS or time <= now + HORIZON else None


def _passed(history: SpotHistory, said: SpotSaid, now: datetime, is_over: bool) -> datetime | None:
    """The time to be disregarded from here on: of a notice taken back, or one that is past."""
    if said.time is None:
        return history.past_at
    return said.time if is_over or said.time <= now else history.past_at


def _is_left_over(history: SpotHistory, time: datetime) -> bool:
    since = history.running_since
    return time == history.past_at or (since is not None and time < since - SLACK)


def _has_moved(known: datetime | None, time: datetime) -> bool:
    return known is None or abs(time - known) >= MOVED
