"""The two rules of absence (docs/absence.md), as tables of what was seen when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from instances.monitoring.absence import AskedTrail, Limits, Trail, weigh, weigh_asked
from instances.monitoring.evidence import (
    Evidence,
    ListWord,
    Pass,
    contradicted,
    evidence_of,
    is_mass_guard_on,
    list_word,
)
from tests.support.tables import table
from upstream.errors import (
    AuthenticationFailed,
    EdgeAnswered,
    InstanceNotFound,
    InvalidRequest,
    NovitaError,
    NovitaServerError,
    NovitaTimeout,
    RateLimited,
    UnreadableAnswer,
)
from upstream.types import Listing, UpstreamInstance

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
AFTER = timedelta(minutes=10)
LIMITS = Limits(AFTER, longest_gap=timedelta(minutes=12))
MASS = Limits(AFTER, longest_gap=timedelta(minutes=12), is_mass=True)
ACCEPTED = Limits(AFTER, longest_gap=timedelta(minutes=12), is_accepted=True)

GONE, REFUSED, SEEN, NOTHING = (
    *(Evidence.SAID_GONE, Evidence.REFUSED, Evidence.SEEN, Evidence.NOTHING),
)
SHOWS, LACKS, EMPTY, PART, FAILED = (
    *(ListWord.SHOWS, ListWord.LACKS, ListWord.EMPTY, ListWord.PART, ListWord.FAILED),
)
DOUBTED = "doubted"


def passed(*words: object) -> Pass:
    evidence, word, *doubt = words
    assert isinstance(evidence, Evidence)
    assert isinstance(word, ListWord)
    return Pass(evidence, word, is_doubted=bool(doubt))


def every(seconds: int, count: int, *words: object) -> list[tuple[int, Pass]]:
    """So many passes that see the same, that far apart, from noon."""
    return [(number * seconds, passed(*words)) for number in range(count)]


def gone_after(passes: Sequence[tuple[int, Pass]], limits: Limits = LIMITS) -> int | None:
    """Seconds from noon at which what nobody asked to end is concluded to be gone."""
    trail = Trail()
    for second, seen in passes:
        trail, is_gone = weigh(trail, seen, NOON + timedelta(seconds=second), limits)
        if is_gone:
            return second
    return None


def ended_after(passes: Sequence[tuple[int, Pass]]) -> int | None:
    """The same of what was asked to end."""
    trail = AskedTrail()
    for second, seen in passes:
        trail, is_gone = weigh_asked(trail, seen, NOON + timedelta(seconds=second), AFTER)
        if is_gone:
            return second
    return None


# Words


@pytest.mark.parametrize(
    ("error", "evidence"),
    [
        (InstanceNotFound("400", status=400), GONE),
        (InvalidRequest("400 INSTANCE_NOT_EXIST", status=400, refuses_the_id=True), REFUSED),
        (InvalidRequest("400", status=400), NOTHING),
        (EdgeAnswered("404 no Route matched", status=404), NOTHING),
        (AuthenticationFailed("401", status=401), NOTHING),
        (RateLimited("429", status=429), NOTHING),
        (NovitaServerError("500", status=500), NOTHING),
        (NovitaTimeout("no answer"), NOTHING),
        (UnreadableAnswer("a list"), NOTHING),
        (None, NOTHING),
    ],
)
def test_only_novitas_own_word_about_the_id_is_evidence(
    error: NovitaError | None, evidence: Evidence
) -> None:
    assert evidence_of(None, error) == evidence


@pytest.mark.parametrize(
    ("status", "evidence"),
    [("removed", GONE), ("removing", SEEN), ("toRemove", SEEN), ("running", SEEN), ("odd", SEEN)],
)
def test_removed_is_the_only_status_that_says_gone(status: str, evidence: Evidence) -> None:
    assert evidence_of(UpstreamInstance("a", status=status), None) == evidence


def listing(
    *statuses: tuple[str, str], total: int | None = -1, is_complete: bool = True
) -> Listing:
    found = {each: UpstreamInstance(each, status=status) for each, status in statuses}
    return Listing(found, len(found) if total == -1 else total, is_complete)


@table(
    ("shown", "word"),
    ("no list", None, FAILED),
    ("whole and empty", listing(), EMPTY),
    ("empty without a total", listing(total=None), PART),
    ("empty of five", listing(total=5, is_complete=False), PART),
    ("whole without it", listing(("b", "running")), LACKS),
    ("a part without it", listing(("b", "running"), is_complete=False), PART),
    ("whole with it", listing(("a", "running")), SHOWS),
    ("a part with it", listing(("a", "exited"), is_complete=False), SHOWS),
    ("on its way out", listing(("a", "removing")), LACKS),
    ("removed", listing(("a", "removed")), LACKS),
    ("in an unknown word", listing(("a", "no-such-word")), SHOWS),
)
def test_what_a_list_says_of_one(shown: Listing | None, word: ListWord) -> None:
    assert list_word(shown, "a") == word


@pytest.mark.parametrize(
    ("shown", "alive", "doubtful"),
    [
        (listing(), ["a", "b"], ["a", "b"]),
        (listing(("a", "running")), ["a", "b"], ["b"]),
        (listing(("a", "running")), ["a"], []),
        (listing(total=5, is_complete=False), ["a"], []),
    ],
)
def test_a_whole_list_that_lacks_what_a_get_finds_is_contradicted(
    shown: Listing, alive: list[str], doubtful: list[str]
) -> None:
    assert contradicted(shown, alive) == doubtful


# What nobody asked to end


@table(
    ("passes", "second"),
    ("said gone and a whole list agree", every(60, 100, GONE, LACKS), 600),
    ("said gone and an empty list agree", every(60, 100, GONE, EMPTY), 600),
    ("a refusal and a whole list agree", every(60, 100, REFUSED, LACKS), 600),
    ("a refusal and an empty list need an hour", every(60, 100, REFUSED, EMPTY), 3600),
    ("said gone with a part of the list needs an hour", every(60, 100, GONE, PART), 3600),
    ("a refusal with a part of the list is too little", every(60, 100, REFUSED, PART), None),
    ("a list that shows it contradicts said gone", every(60, 100, GONE, SHOWS), None),
    ("a list that shows it contradicts a refusal", every(60, 100, REFUSED, SHOWS), None),
    ("without a list nothing is believed", every(60, 100, GONE, FAILED), None),
    ("no answer by id proves nothing beside an empty list", every(60, 100, NOTHING, EMPTY), None),
    ("no answer by id proves nothing beside a whole list", every(60, 100, NOTHING, LACKS), None),
    ("a doubted pass begins nothing by said gone", every(60, 100, GONE, LACKS, DOUBTED), None),
    ("a doubted pass begins nothing by a refusal", every(60, 100, REFUSED, LACKS, DOUBTED), None),
    ("two passes are too few, however far apart", every(700, 2, GONE, LACKS), None),
    ("the third pass concludes", every(600, 3, GONE, LACKS), 1200),
    ("many passes within ten minutes are too early", every(1, 599, GONE, LACKS), None),
    (
        "a gap that is too long begins anew",
        [(0, passed(GONE, LACKS)), *[(7200 + s, p) for s, p in every(60, 5, GONE, LACKS)]],
        None,
    ),
)
def test_what_nobody_asked_to_end_is_gone_only_after_passes_that_agree(
    passes: list[tuple[int, Pass]], second: int | None
) -> None:
    assert gone_after(passes) == second


@pytest.mark.parametrize("at", [60, 300, 540, 599])
def test_one_observation_undoes_all_absence_before_it(at: int) -> None:
    passes = [*every(60, 30, GONE, LACKS), (at, passed(SEEN, LACKS))]
    assert gone_after(sorted(passes, key=lambda each: each[0])) == (at // 60 + 1) * 60 + 600


@pytest.mark.parametrize(
    "between",
    [(NOTHING, FAILED), (GONE, SHOWS), (GONE, FAILED), (GONE, LACKS, DOUBTED), (NOTHING, LACKS)],
)
def test_the_last_pass_must_say_so_too(between: tuple[object, ...]) -> None:
    passes = [*every(60, 10, GONE, LACKS), (600, passed(*between)), (660, passed(GONE, LACKS))]
    assert gone_after(passes) == 660


def test_passes_that_contradict_each_other_are_none_of_the_three() -> None:
    early = [(0, passed(GONE, LACKS)), (60, passed(GONE, LACKS))]
    doubted = [(60 * n, passed(GONE, LACKS, DOUBTED)) for n in range(2, 15)]
    assert gone_after([*early, *doubted, (900, passed(GONE, LACKS))]) == 900
    assert gone_after([early[0], *doubted, (900, passed(GONE, LACKS))]) is None


def test_a_contradiction_that_lasts_ends_in_novitas_plain_word() -> None:
    """A list that lacks one instance for good must not keep all others for ever."""
    doubted = [(60 * n, passed(GONE, LACKS, DOUBTED)) for n in range(1, 70)]
    assert gone_after([(0, passed(GONE, LACKS)), *doubted]) == 3600


def test_many_at_once_take_an_hour_and_an_operator_shortens_it() -> None:
    passes = every(60, 100, GONE, EMPTY)
    assert gone_after(passes, MASS) == 3600
    assert gone_after(passes, ACCEPTED) == 60
    assert gone_after(every(60, 100, GONE, LACKS, DOUBTED), ACCEPTED) is None
    assert gone_after(every(60, 100, GONE, SHOWS), ACCEPTED) is None
    # Two passes agree, more than ten seconds apart; the last one counts only if it agrees, too.
    trail = Trail(NOON, NOON, passes=2, agreeing=2)
    later = NOON + timedelta(minutes=1)
    assert not weigh(trail, Pass(GONE, LACKS, is_doubted=True), later, ACCEPTED)[1]


@pytest.mark.parametrize(
    ("vanished", "held", "is_on"),
    [(2, 2, False), (3, 3, True), (3, 14, True), (3, 15, False), (4, 15, True), (0, 0, False)],
)
def test_three_at_least_and_over_a_fifth_are_too_many_at_once(
    vanished: int, held: int, is_on: bool
) -> None:
    assert is_mass_guard_on(vanished=vanished, held=held) is is_on


# What was asked to end


@table(
    ("passes", "second"),
    ("said gone twice, and a whole list", every(10, 9, GONE, LACKS), 10),
    ("said gone twice, and an empty list", every(10, 9, GONE, EMPTY), 10),
    ("said gone twice, and a part of the list", every(10, 9, GONE, PART), 10),
    ("said gone twice within ten seconds is once", every(3, 9, GONE, LACKS), 12),
    ("a list that lacks all that live may be blind", every(60, 99, GONE, EMPTY, DOUBTED), 600),
    ("said gone without a list is not believed", every(60, 99, GONE, FAILED), None),
    ("said gone and a list that shows it", every(60, 99, GONE, SHOWS), None),
    ("three refusals and two lists 30 s apart", every(15, 99, REFUSED, LACKS), 30),
    ("three refusals at least", every(60, 99, REFUSED, LACKS), 120),
    ("refusals and an empty list need ten minutes", every(60, 99, REFUSED, EMPTY), 600),
    ("refusals in doubted passes, too", every(60, 99, REFUSED, LACKS, DOUBTED), 600),
    ("refusals and a part of the list need an hour", every(60, 99, REFUSED, PART), 3600),
    ("refusals and a list that shows it", every(60, 99, REFUSED, SHOWS), None),
    ("refusals without a list are not believed", every(60, 99, REFUSED, FAILED), None),
    ("lists alone, for ten minutes", every(15, 99, NOTHING, LACKS), 600),
    ("as many lists, if they are further apart", every(60, 99, NOTHING, LACKS), 1200),
    ("doubted lists alone prove nothing", every(60, 99, NOTHING, LACKS, DOUBTED), None),
    ("empty lists alone prove nothing", every(60, 99, NOTHING, EMPTY), None),
    ("parts of the list alone prove nothing", every(60, 99, NOTHING, PART), None),
    ("no answer by id and a list that shows it", every(60, 99, NOTHING, SHOWS), None),
    ("no answer at all", every(60, 99, NOTHING, FAILED), None),
    ("seen by id, whatever lists lack", every(60, 99, SEEN, LACKS), None),
)
def test_what_was_asked_to_end_is_gone_in_novitas_word_or_by_refusals_and_lists(
    passes: list[tuple[int, Pass]], second: int | None
) -> None:
    assert ended_after(passes) == second


def test_an_observation_begins_an_ending_anew_and_an_error_does_not() -> None:
    first, last = (0, passed(GONE, LACKS)), (20, passed(GONE, LACKS))
    assert ended_after([first, (10, passed(NOTHING, FAILED)), last]) == 20
    assert ended_after([first, (10, passed(SEEN, SHOWS)), last]) is None


def test_a_list_that_shows_it_makes_the_lists_count_anew() -> None:
    refused = [(15 * n, passed(REFUSED, LACKS)) for n in range(2)]
    again = [(60 + 15 * n, passed(REFUSED, LACKS)) for n in range(4)]
    assert ended_after([*refused, (45, passed(REFUSED, SHOWS)), *again]) == 90
