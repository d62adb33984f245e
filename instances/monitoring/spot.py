"""Decides whether Novita announced, withdrew or carried out a spot reclaim. Pure functions.

Evidence: status (``spotStatus``) and time (``spotReclaimTime``). Either may be missing, late, or
left over from an earlier reclaim, so both are compared with the instance's history.

none -> notice -> (time) -> withdrawn or stopped. A notice is valid until Novita revokes it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

NOTICE_WORDS = frozenset({"notified", "reclaiming"})
RECLAIM_WORDS = frozenset({"reclaiming", "terminated"})
# Difference between Novita's clock and ours.
SLACK = timedelta(minutes=1)
# A later time without a word is no notice: notices are given an hour ahead.
HORIZON = timedelta(hours=24)
# Time from a notice without a time to the reclaim, by Novita's guide.
NOTICE = timedelta(hours=1)
# A notice that has only a time ends this long after that time.
OVERDUE = timedelta(minutes=30)
# A change of the time by less than this gets no event.
MOVED = timedelta(minutes=5)


class Told(StrEnum):
    """Event that an observation causes."""

    NOTHING = ""
    NOTICE = "instance.spot_notice"
    TIME = "instance.spot_notice_updated"
    WITHDRAWN = "instance.spot_notice_withdrawn"


@dataclass(frozen=True, slots=True)
class SpotHistory:
    """What is known before an observation.

    ``word``: Novita's last status. ``noticed_at``: start of a valid notice; ``reclaim_at`` its
    time. ``past_at``: a time to ignore. ``running_since``: reclaims before that were earlier ones.
    """

    is_spot: bool = True
    word: str = ""
    noticed_at: datetime | None = None
    reclaim_at: datetime | None = None
    past_at: datetime | None = None
    running_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class SpotSaid:
    """Spot fields of an observation. ``word`` None: not in the answer. ``time`` None: "0"."""

    word: str | None = None
    time: datetime | None = None
    is_time_said: bool = True


def decide(history: SpotHistory, said: SpotSaid, now: datetime) -> tuple[SpotHistory, Told]:
    """Evaluate an observation of a running instance: the history after it, and the event."""
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
    """Whether a stop without a request was a reclaim: by the answer's word or a time reached."""
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
    """History after a stop, whatever its reason.

    The notice is over; its remains are no evidence in the next run.
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
        # The unchanged word without a notice is left over from before a stop.
        return is_noticed or word != history.word or time is not None
    if not is_noticed:
        return time is not None
    if word == "running" and history.word != "running":
        return False
    if said.is_time_said and said.time is None and word in ("", "running"):
        return False
    return now <= _end(history) + OVERDUE


def _end(history: SpotHistory) -> datetime:
    """When the reclaim of a valid notice happens."""
    assert history.noticed_at is not None  # noqa: S101
    return history.reclaim_at or history.noticed_at + NOTICE


def _time_ahead(history: SpotHistory, said: SpotSaid, word: str, now: datetime) -> datetime | None:
    """The announced time if it is in the future and not of an earlier notice.

    Without a word of a notice, only a time within HORIZON.
    """
    time = said.time
    if time is None or time <= now or time == history.past_at or not history.is_spot:
        return None
    return time if word in NOTICE_WORDS or time <= now + HORIZON else None


def _passed(history: SpotHistory, said: SpotSaid, now: datetime, is_over: bool) -> datetime | None:
    """The time to ignore from now on: of a withdrawn notice, or one in the past."""
    if said.time is None:
        return history.past_at
    return said.time if is_over or said.time <= now else history.past_at


def _is_left_over(history: SpotHistory, time: datetime) -> bool:
    since = history.running_since
    return time == history.past_at or (since is not None and time < since - SLACK)


def _has_moved(known: datetime | None, time: datetime) -> bool:
    return known is None or abs(time - known) >= MOVED
