"""Spot notices, their withdrawal and reclaims, from two witnesses and the instance's history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from instances.monitoring.spot import SpotHistory, SpotSaid, Told, at_rest, decide, is_reclaim

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SOON = NOW + 50 * timedelta(minutes=1)
LATER = SOON + timedelta(minutes=30)
FAR = NOW + timedelta(days=3000)
PAST = NOW - timedelta(minutes=20)
OLD = NOW - timedelta(days=40)
NEVER = None

FRESH = SpotHistory(word="running", running_since=NOW - 5 * HOUR)
NOTICED = replace(FRESH, word="notified", noticed_at=NOW - timedelta(minutes=10), reclaim_at=SOON)
TIMELESS = replace(NOTICED, reclaim_at=None)
BY_TIME = replace(NOTICED, word="running")
# Started again after a reclaim, and after a stop with a notice standing.
RECLAIMED = replace(FRESH, word="terminated", past_at=OLD)
STOPPED = replace(FRESH, word="notified", past_at=SOON)
ON_DEMAND = replace(FRESH, is_spot=False, word="")

_N, _T, _W, _0 = Told.NOTICE, Told.TIME, Told.WITHDRAWN, Told.NOTHING


@pytest.mark.parametrize(
    ("history", "word", "time", "told", "reclaim_at"),
    [
        # The first sight of a notice, by either witness or both.
        (FRESH, "notified", SOON, _N, SOON),
        (FRESH, "notified", NEVER, _N, None),
        (FRESH, "notified", PAST, _N, None),
        (FRESH, "notified", OLD, _N, None),
        (FRESH, "notified", FAR, _N, FAR),
        (FRESH, "reclaiming", SOON, _N, SOON),
        (FRESH, "reclaiming", NEVER, _N, None),
        (FRESH, "running", SOON, _N, SOON),
        (FRESH, "", SOON, _N, SOON),
        (FRESH, None, SOON, _N, SOON),
        (FRESH, "preempting", SOON, _N, SOON),
        (replace(FRESH, word=""), "notified", NEVER, _N, None),
        # No notice.
        (FRESH, "running", NEVER, _0, None),
        (FRESH, "", NEVER, _0, None),
        (FRESH, None, NEVER, _0, None),
        (FRESH, "preempting", NEVER, _0, None),
        (FRESH, "terminated", NEVER, _0, None),
        (FRESH, "running", FAR, _0, None),
        (FRESH, "", FAR, _0, None),
        (FRESH, "running", PAST, _0, None),
        (FRESH, "", OLD, _0, None),
        (FRESH, "terminated", OLD, _0, None),
        # It stands: nothing is told twice, and a missing witness takes nothing back.
        (NOTICED, "notified", SOON, _0, SOON),
        (NOTICED, "notified", NEVER, _0, SOON),
        (NOTICED, "reclaiming", SOON, _0, SOON),
        (NOTICED, None, SOON, _0, SOON),
        (NOTICED, None, NEVER, _0, SOON),
        (NOTICED, "", SOON, _0, SOON),
        (NOTICED, "preempting", NEVER, _0, SOON),
        (NOTICED, "terminated", SOON, _0, SOON),
        (NOTICED, "notified", SOON + timedelta(minutes=1), _0, SOON),
        (TIMELESS, "notified", NEVER, _0, None),
        (BY_TIME, "running", SOON, _0, SOON),
        (BY_TIME, "notified", SOON, _0, SOON),
        # The time is learnt later, or moves.
        (TIMELESS, "notified", SOON, _T, SOON),
        (TIMELESS, "reclaiming", SOON, _T, SOON),
        (NOTICED, "notified", LATER, _T, LATER),
        (TIMELESS, "notified", PAST, _0, None),
        # Taken back, with or without the time left over.
        (NOTICED, "running", NEVER, _W, None),
        (NOTICED, "running", SOON, _W, None),
        (NOTICED, "running", PAST, _W, None),
        (NOTICED, "", NEVER, _W, None),
        (TIMELESS, "running", NEVER, _W, None),
        (TIMELESS, "", NEVER, _W, None),
        (BY_TIME, "running", NEVER, _W, None),
        (BY_TIME, "", NEVER, _W, None),
        # What an earlier reclaim or notice left behind.
        (RECLAIMED, "terminated", OLD, _0, None),
        (RECLAIMED, "terminated", NEVER, _0, None),
        (RECLAIMED, "running", OLD, _0, None),
        (RECLAIMED, "", OLD, _0, None),
        (RECLAIMED, "notified", OLD, _N, None),
        (RECLAIMED, "notified", SOON, _N, SOON),
        (STOPPED, "notified", SOON, _0, None),
        (STOPPED, "notified", NEVER, _0, None),
        (STOPPED, "running", SOON, _0, None),
        (STOPPED, "notified", LATER, _N, LATER),
        # Only spot instances are reclaimed.
        (ON_DEMAND, "notified", SOON, _0, None),
        (ON_DEMAND, "", SOON, _0, None),
        (ON_DEMAND, "terminated", OLD, _0, None),
        (replace(NOTICED, is_spot=False), "notified", SOON, _W, None),
    ],
)
def test_an_observation_of_what_runs(
    history: SpotHistory,
    word: str | None,
    time: datetime | None,
    told: Told,
    reclaim_at: datetime | None,
) -> None:
    after, what = decide(history, SpotSaid(word, time), NOW)
    assert (what, after.reclaim_at) == (told, reclaim_at)
    # The same look again tells nothing.
    assert decide(after, SpotSaid(word, time), NOW)[1] == Told.NOTHING


@pytest.mark.parametrize("history", [FRESH, NOTICED, TIMELESS, BY_TIME, RECLAIMED, ON_DEMAND])
def test_an_observation_without_either_changes_nothing(history: SpotHistory) -> None:
    assert decide(history, SpotSaid(None, None, is_time_said=False), NOW) == (history, _0)


def test_a_notice_by_a_time_alone_ends_some_time_after_it() -> None:
    after, told = decide(BY_TIME, SpotSaid("running", SOON), SOON + timedelta(minutes=29))
    assert told == Told.NOTHING
    assert decide(after, SpotSaid("running", SOON), SOON + timedelta(minutes=31))[1] == _W


def test_a_notice_taken_back_and_given_again_is_told_again() -> None:
    after, told = decide(NOTICED, SpotSaid("running", SOON), NOW)
    assert told == _W
    assert decide(after, SpotSaid("running", SOON), NOW)[1] == _0
    assert decide(after, SpotSaid("notified", None), NOW)[1] == _N
    assert decide(after, SpotSaid("running", LATER), NOW)[1] == _N


@pytest.mark.parametrize(
    ("history", "word", "time", "expected"),
    [
        # A word that came with the stop.
        (FRESH, "terminated", NEVER, True),
        (FRESH, "terminated", PAST, True),
        (FRESH, "reclaiming", NEVER, True),
        (FRESH, "terminated", SOON, True),
        (NOTICED, "terminated", SOON, True),
        (TIMELESS, "reclaiming", NEVER, True),
        (replace(NOTICED, word="reclaiming"), "reclaiming", PAST, True),
        (replace(NOTICED, word="reclaiming"), "reclaiming", SOON, True),
        (replace(FRESH, word=""), "terminated", NEVER, True),
        (replace(FRESH, word=""), "terminated", PAST, True),
        # A time that has come, whatever the word.
        (FRESH, "running", PAST, True),
        (FRESH, "", PAST, True),
        (FRESH, None, PAST, True),
        (FRESH, "notified", PAST, True),
        (replace(NOTICED, reclaim_at=PAST), "notified", NEVER, True),
        (replace(NOTICED, reclaim_at=PAST), None, NEVER, True),
        (replace(TIMELESS, noticed_at=NOW - HOUR), "notified", NEVER, True),
        (replace(TIMELESS, noticed_at=NOW - HOUR), None, NEVER, True),
        # A stop by somebody else, before the time or without any notice.
        (FRESH, "running", NEVER, False),
        (FRESH, "", NEVER, False),
        (FRESH, None, NEVER, False),
        (FRESH, "", SOON, False),
        (FRESH, "notified", NEVER, False),
        (NOTICED, "notified", SOON, False),
        (NOTICED, "running", NEVER, False),
        (NOTICED, "", NEVER, False),
        (TIMELESS, "notified", NEVER, False),
        (TIMELESS, "", NEVER, False),
        (replace(TIMELESS, noticed_at=NOW - HOUR), "running", NEVER, False),
        # Left over from an earlier reclaim.
        (RECLAIMED, "terminated", OLD, False),
        (RECLAIMED, "terminated", NEVER, False),
        (RECLAIMED, "", OLD, False),
        (replace(RECLAIMED, past_at=None), "", OLD, False),
        (replace(FRESH, word=""), "terminated", OLD, False),
        (STOPPED, "notified", SOON, False),
        # Not a spot instance.
        (ON_DEMAND, "terminated", PAST, False),
        (ON_DEMAND, "terminated", NEVER, False),
        (ON_DEMAND, "", PAST, False),
    ],
)
def test_a_stop_is_a_reclaim_only_by_evidence(
    history: SpotHistory, word: str | None, time: datetime | None, expected: bool
) -> None:
    assert is_reclaim(history, SpotSaid(word, time), NOW) is expected


WORDS = (None, "", "running", "notified", "reclaiming", "terminated", "other")
TIMES = (None, OLD, PAST, SOON, FAR)


@pytest.mark.parametrize(("word", "time"), list(product(WORDS, TIMES)))
def test_what_is_left_over_after_a_stop_is_no_notice_and_no_reclaim_of_the_next_run(
    word: str | None, time: datetime | None
) -> None:
    """Whatever was shown when it stopped is shown on in the next run, a day later."""
    said = SpotSaid(word, time)
    rested = at_rest(NOTICED, said)
    later = NOW + timedelta(days=1)
    history = replace(rested, running_since=later)
    after, told = decide(history, said, later + HOUR)
    assert (told, is_reclaim(after, said, later + 2 * HOUR)) == (Told.NOTHING, False)
