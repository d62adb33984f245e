"""Creates are held for what no request is to blame for, and go on by one try at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instances.novita import limiter
from instances.novita.call_classes import CallClass
from instances.novita.holds import (
    ACCOUNT_REFUSAL_KEPT,
    CREATE_PAUSE,
    OUTAGES_TO_OPEN,
    PROBE,
    READS_ARE_SILENT,
)
from tests.instances.conftest import Clock
from tests.instances.novita.reported_calls import (
    CREATE,
    CREATE_KEY,
    DOWN,
    EDGE,
    READ,
    READ_KEY,
    SOLD_OUT,
    WORDS,
    creates,
    reads,
    report,
    row,
)
from tests.instances.novita.test_limiter import BUSY, SECOND
from upstream.call_records import CallOutcome, CallRecord
from upstream.errors import Source

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("clock", "limit", "nothing_logged_yet"),
]


# The key


@pytest.mark.parametrize("refused", [READ_KEY, CREATE_KEY, replace(READ_KEY, status=400)])
def test_a_refused_key_holds_creates_at_once_and_nothing_else(
    clock: Clock,
    refused: CallRecord,
) -> None:
    report(refused)
    permit = creates()
    assert (permit.calls, permit.hold) == (0, "key_refused")
    assert WORDS in permit.message
    assert reads().is_granted
    assert limiter.reserve(2, CallClass.END).calls == 2
    assert (row().hold, row().hold_since) == ("key_refused", clock.now)
    assert WORDS in row().hold_message


def test_while_reads_are_refused_only_reads_try_the_key(clock: Clock) -> None:
    """probe_upstream goes on asking: no create is sent to find out."""
    for _ in range(20):
        report(READ_KEY)
        for _ in range(5):
            assert not creates().is_granted
            clock.pass_(SECOND)
    report(READ)
    assert creates().is_granted
    assert row().hold == ""


@pytest.mark.parametrize("call", [EDGE, DOWN])
def test_only_a_word_of_novita_proves_the_key_again(clock: Clock, call: CallRecord) -> None:
    report(READ_KEY)
    report(call)
    clock.pass_(CREATE_PAUSE + SECOND)
    assert (creates().is_granted, row().hold) == (False, "key_refused")


def test_an_edge_that_asks_for_fewer_calls_ends_no_hold_of_creates(clock: Clock) -> None:
    report(CREATE_KEY)
    report(replace(CREATE, outcome=CallOutcome.RATE_LIMITED, status=429, source=Source.EDGE))
    clock.pass_(2 * CREATE_PAUSE)
    assert (creates().calls, row().hold) == (1, "key_refused")


def test_the_end_of_an_outage_lets_one_create_try_at_once(clock: Clock) -> None:
    report(*[replace(DOWN, endpoint="create_instance")] * OUTAGES_TO_OPEN)
    assert not creates().is_granted
    report(READ)
    assert creates().calls == 1
    assert not creates().is_granted


def test_a_create_tries_the_key_if_no_read_does(clock: Clock) -> None:
    report(READ_KEY)
    clock.pass_(CREATE_PAUSE + READS_ARE_SILENT - SECOND)
    assert not creates().is_granted
    clock.pass_(SECOND)
    assert creates().calls == 1
    assert not creates().is_granted


def test_refused_for_creates_alone_one_create_at_a_time_tries(clock: Clock) -> None:
    report(CREATE_KEY)
    report(READ, READ)
    assert (creates().calls, row().hold) == (0, "key_refused")
    clock.pass_(CREATE_PAUSE)
    assert creates().calls == 1
    assert not creates().is_granted
    report(CREATE_KEY)
    assert not creates().is_granted
    clock.pass_(CREATE_PAUSE)
    assert creates().calls == 1
    report(CREATE)
    assert creates().calls == 6
    assert row().hold == ""


def test_a_try_whose_process_died_frees_its_place(clock: Clock) -> None:
    report(CREATE_KEY)
    clock.pass_(CREATE_PAUSE)
    assert creates().is_granted
    clock.pass_(PROBE - SECOND)
    assert not creates().is_granted
    clock.pass_(SECOND)
    assert creates().is_granted


def test_a_try_that_was_not_made_frees_its_place(clock: Clock) -> None:
    report(CREATE_KEY)
    clock.pass_(CREATE_PAUSE)
    assert creates().is_granted
    report()
    assert creates().is_granted


def test_any_word_of_novita_to_a_create_proves_the_key(clock: Clock) -> None:
    report(READ_KEY, CREATE_KEY)
    report(SOLD_OUT)
    assert creates().calls == 6


def test_a_key_that_works_again_for_reads_lets_a_create_try_at_once(
    clock: Clock,
) -> None:
    report(CREATE_KEY, READ_KEY)
    report(READ)
    assert creates().calls == 1
    assert not creates().is_granted
    report(CREATE)
    assert creates().calls == 6


@pytest.mark.parametrize("endpoint", ["get_instance", "list_instances", "get_balance"])
def test_what_creation_does_not_ask_holds_no_create(endpoint: str) -> None:
    report(replace(READ_KEY, endpoint=endpoint))
    assert creates().is_granted


# Creates that nothing usable answers, while reads work


@pytest.mark.parametrize(("call", "hold"), [(DOWN, "outage"), (EDGE, "edge")])
def test_creates_are_held_if_they_alone_get_no_usable_answer(
    clock: Clock,
    call: CallRecord,
    hold: str,
) -> None:
    for number in range(OUTAGES_TO_OPEN):
        assert creates().is_granted, number
        report(replace(call, endpoint="create_instance"))
        report(READ)
    permit = creates()
    assert (permit.calls, permit.hold) == (0, hold)
    assert reads().is_granted
    clock.pass_(CREATE_PAUSE)
    assert creates().calls == 1
    report(CREATE)
    assert creates().calls == 6


@pytest.mark.parametrize(("call", "hold"), [(DOWN, "outage"), (EDGE, "edge")])
def test_an_outage_says_who_answered(clock: Clock, call: CallRecord, hold: str) -> None:
    report(*[call] * OUTAGES_TO_OPEN)
    assert (creates().hold, reads().hold, row().hold) == (hold, hold, hold)
    clock.pass_(15 * SECOND)
    report(READ)
    assert (row().hold, row().hold_since) == ("", None)


# Money and allowance


@pytest.mark.parametrize(
    ("outcome", "hold"),
    [(CallOutcome.BALANCE_NOT_ENOUGH, "balance"), (CallOutcome.QUOTA_EXCEEDED, "quota")],
)
def test_the_accounts_refusal_is_told_and_holds_no_other_create(
    clock: Clock,
    outcome: CallOutcome,
    hold: str,
) -> None:
    """Another request may be cheaper, or need fewer GPUs."""
    report(replace(SOLD_OUT, outcome=outcome))
    assert creates().is_granted
    assert row().hold == hold
    clock.pass_(ACCOUNT_REFUSAL_KEPT)
    report(READ)
    assert row().hold == ""


def test_money_that_came_back_is_told_by_the_next_create() -> None:
    report(replace(SOLD_OUT, outcome=CallOutcome.BALANCE_NOT_ENOUGH))
    report(SOLD_OUT)
    assert row().hold == "balance"
    report(CREATE)
    assert row().hold == ""


def test_a_pause_is_a_hold(clock: Clock) -> None:
    report(BUSY)
    assert (creates().hold, row().hold) == ("rate", "rate")


@pytest.mark.parametrize("status", [400, 409, 429, 500, 503])
def test_sold_out_under_any_status_pauses_nobody(status: int) -> None:
    report(replace(SOLD_OUT, status=status, retry_after=30))
    assert limiter.reserve(1, CallClass.END).is_granted
    assert creates().is_granted
