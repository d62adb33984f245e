"""Holds of creates as they are told: the log lines, the words on the row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from instances.novita.holds import OUTAGES_TO_OPEN
from tests.conftest import MonotonicClock
from tests.instances.conftest import Clock
from tests.instances.novita.reported_calls import (
    CREATE_KEY,
    DOWN,
    EDGE,
    READ,
    READ_KEY,
    SOLD_OUT,
    WORDS,
    creates,
    logged,
    report,
    row,
)
from tests.instances.novita.test_limiter import SECOND
from upstream.call_records import CallRecord

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("clock", "limit", "nothing_logged_yet"),
]


def test_a_hold_is_one_line_where_it_begins_and_one_where_it_ends(
    clock: Clock,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with logged(django_capture_on_commit_callbacks) as lines:
        for _ in range(5):
            report(READ_KEY)
            clock.pass_(SECOND)
        report(READ)
    told = [line for line in lines if line["event"] != "novita_call_failed"]
    assert [line["event"] for line in told] == ["novita_key_refused", "novita_recovered"]
    assert WORDS in told[0]["message"]
    assert (told[1]["hold"], told[1]["held_seconds"]) == ("key_refused", 5.0)


@pytest.mark.parametrize(
    ("call", "event"),
    [(DOWN, "novita_unreachable"), (EDGE, "novita_edge_answers"), (READ_KEY, "novita_key_refused")],
)
def test_each_reason_has_its_line(
    call: CallRecord, event: str, django_capture_on_commit_callbacks: Any
) -> None:
    with logged(django_capture_on_commit_callbacks) as lines:
        report(*[call] * OUTAGES_TO_OPEN)
    assert [line["event"] for line in lines].count(event) == 1


def test_failed_calls_are_lines_once_in_a_while_with_the_count_of_the_others(
    monotonic: MonotonicClock,
) -> None:
    with capture_logs() as lines:
        for _ in range(5):
            report(DOWN, READ, SOLD_OUT)
            monotonic.now += 2.5
        report(DOWN)
    failed = [line for line in lines if line["event"] == "novita_call_failed"]
    assert [(line["endpoint"], line["not_logged"]) for line in failed] == [
        *(("list_clusters", 0), ("create_instance", 0)),
        *(("list_clusters", 3), ("create_instance", 3)),
    ]
    assert (failed[0]["status"], failed[0]["outcome"]) == (500, "server_error")


def test_the_words_of_a_failure_are_bounded_and_kept_on_the_row() -> None:
    report(replace(DOWN, text="x" * 5000, reason="UNKNOWN"))
    assert row().last_error.startswith("list_clusters: server_error 500: xxx")
    assert len(row().last_error) == 300


def test_held_creates_wait_no_longer_than_a_few_seconds_at_a_time(clock: Clock) -> None:
    """So that a key that works again is used within seconds, by however many wait."""
    report(READ_KEY, CREATE_KEY)
    for _ in range(30):
        assert creates().wait <= timedelta(seconds=5)
        clock.pass_(SECOND)
        report(READ_KEY)
