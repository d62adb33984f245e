"""The shared call budget and the breaker, by a clock of their own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from instances.models import Tally, UpstreamGate
from instances.novita import limiter
from instances.novita.call_classes import CallClass
from instances.novita.holds import FIRST_OPEN, LONGEST_OPEN, OUTAGES_TO_OPEN, PROBE
from instances.novita.limiter import Permit
from tests.instances.conftest import Clock, Limit
from tests.jobs.conftest import in_thread
from upstream.call_records import CallOutcome, CallRecord
from upstream.errors import Source

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
END, WATCH, CREATE, OTHER = CallClass
OK = CallRecord("get_instance", CallOutcome.OK, 0.1)
REFUSED = CallRecord("get_instance", CallOutcome.CLIENT_ERROR, 0.1, status=400)
OUTAGE = CallRecord("get_instance", CallOutcome.SERVER_ERROR, 0.1, 500, counts_as_outage=True)
KEY_REFUSED = CallRecord("list_clusters", CallOutcome.KEY_REFUSED, 0.1, status=401)
BUSY = CallRecord("get_instance", CallOutcome.RATE_LIMITED, 0.1, 429, retry_after=7)


def report(permit: Permit, calls: Sequence[CallRecord]) -> None:
    limiter.report([(permit, calls)])


def row() -> UpstreamGate:
    return UpstreamGate.objects.get()


def drain(call_class: CallClass = WATCH) -> int:
    return limiter.reserve(10_000, call_class, at_least=1).calls


# The budget


@given(
    rate=st.integers(6, 400),
    steps=st.lists(
        st.tuples(
            *(st.integers(0, 40_000), st.integers(1, 80)),
            *(st.sampled_from(CallClass), st.integers(0, 3)),
        ),
        max_size=25,
    ),
)
@hypothesis_settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_minute_ever_holds_more_calls_than_the_limit(
    clock: Clock, limit: Limit, rate: int, steps: list[tuple[int, int, CallClass, int]]
) -> None:
    limit(rate)
    UpstreamGate.objects.all().delete()
    made: deque[tuple[datetime, int]] = deque()
    for milliseconds, wanted, call_class, unused in steps:
        clock.pass_(timedelta(milliseconds=milliseconds))
        permit = limiter.reserve(wanted, call_class, at_least=1)
        used = max(permit.calls - unused, 0)
        report(permit, [OK] * used)
        made.append((clock.now, used))
        while made[0][0] <= clock.now - timedelta(minutes=1):
            made.popleft()
        assert sum(calls for _, calls in made) <= rate


@pytest.mark.parametrize("rate", [6, 31, 300])
def test_not_even_those_who_take_all_they_get_exceed_it(
    clock: Clock, limit: Limit, rate: int
) -> None:
    limit(rate)
    made: list[int] = []
    for _ in range(150):
        made.append(drain(END))
        clock.pass_(SECOND)
    windows = [sum(made[start : start + 60]) for start in range(len(made) - 60)]
    assert max(windows) <= rate
    assert min(windows) >= rate // 3


@pytest.mark.parametrize("rate", [6, 7, 10, 19, 30, 34, 50, 300])
@pytest.mark.parametrize("wanted", [1, 2, 6, 7, 55, 60, 500])
def test_whoever_waits_as_long_as_told_is_served_in_the_end(
    clock: Clock, limit: Limit, rate: int, wanted: int
) -> None:
    """More than the bucket ever holds is granted as much as it holds."""
    limit(rate)
    drain(END)
    for _ in range(30):
        permit = limiter.reserve(wanted, WATCH)
        if permit.is_granted:
            return
        assert permit.wait > timedelta(0)
        clock.pass_(permit.wait)
    pytest.fail(f"{wanted} calls are never granted at {rate} a minute")


def test_a_tenth_of_the_bucket_is_kept_for_what_costs_money(clock: Clock, limit: Limit) -> None:
    assert drain() == 54
    assert not limiter.reserve(1, WATCH).is_granted
    assert drain(END) == 6


@pytest.mark.parametrize("rate", [6, 30, 300])
def test_what_nobody_waits_for_leaves_calls_to_the_others(
    clock: Clock, limit: Limit, rate: int
) -> None:
    limit(rate)
    assert limiter.reserve(500, OTHER, at_least=1).is_granted
    assert not limiter.reserve(1, OTHER).is_granted
    assert limiter.reserve(1, WATCH).is_granted


def test_what_is_not_used_comes_back(clock: Clock, limit: Limit) -> None:
    permit = limiter.reserve(50, WATCH)
    report(permit, [OK] * 20)
    assert drain() == 34


def test_what_many_did_not_use_comes_back_at_once(clock: Clock, limit: Limit) -> None:
    limiter.report(
        [(limiter.reserve(20, WATCH), [OK] * 5), (limiter.reserve(20, WATCH), []), (Permit(0), [])]
    )
    assert drain() == 49


def test_all_or_nothing_unless_less_will_do(clock: Clock, limit: Limit) -> None:
    limiter.reserve(50, WATCH)
    refused = limiter.reserve(10, WATCH)
    assert not refused.is_granted
    assert refused.wait > timedelta(0)
    assert limiter.reserve(10, WATCH, at_least=2).calls == 4


def test_calls_are_counted_for_the_metrics(clock: Clock, limit: Limit) -> None:
    report(limiter.reserve(3, WATCH), [OK, OUTAGE, OK])
    counts = {row.labels.get("outcome"): row.value for row in Tally.objects.all()}
    assert (counts["ok"], counts["server_error"]) == (2, 1)


# The breaker


def outages(count: int) -> None:
    for _ in range(count):
        report(Permit(1), [OUTAGE])


def test_it_opens_after_five_outages_in_a_row(clock: Clock, limit: Limit) -> None:
    outages(OUTAGES_TO_OPEN - 1)
    assert limiter.reserve(1, WATCH).is_granted
    outages(1)
    assert limiter.reserve(1, WATCH) == Permit(0, FIRST_OPEN)


def test_an_answer_of_any_kind_in_between_keeps_it_closed(clock: Clock, limit: Limit) -> None:
    outages(OUTAGES_TO_OPEN - 1)
    report(Permit(1), [REFUSED])
    outages(OUTAGES_TO_OPEN - 1)
    assert limiter.reserve(1, WATCH).is_granted


def test_refusals_never_open_it(clock: Clock, limit: Limit) -> None:
    report(Permit(20), [REFUSED] * 20)
    assert limiter.reserve(1, WATCH).is_granted


def test_what_costs_money_passes_it(clock: Clock, limit: Limit) -> None:
    outages(OUTAGES_TO_OPEN)
    assert limiter.reserve(2, END).calls == 2


def test_half_open_it_lets_one_caller_make_one_try(clock: Clock, limit: Limit) -> None:
    outages(OUTAGES_TO_OPEN)
    clock.pass_(FIRST_OPEN)
    assert limiter.reserve(50, WATCH, at_least=1).calls == 1
    assert not limiter.reserve(1, WATCH).is_granted
    clock.pass_(PROBE)
    assert limiter.reserve(1, WATCH).is_granted


def test_a_try_that_succeeds_closes_it(clock: Clock, limit: Limit) -> None:
    outages(OUTAGES_TO_OPEN)
    clock.pass_(FIRST_OPEN)
    report(limiter.reserve(1, WATCH), [OK])
    assert (row().failures_in_a_row, row().opened_until) == (0, None)
    assert limiter.reserve(20, WATCH).is_granted


def test_a_try_that_fails_opens_it_for_twice_as_long(clock: Clock, limit: Limit) -> None:
    outages(OUTAGES_TO_OPEN)
    for seconds in (10, 15, 15):
        clock.pass_(LONGEST_OPEN)
        report(limiter.reserve(1, WATCH), [OUTAGE])
        assert limiter.reserve(1, WATCH).wait == timedelta(seconds=seconds)


def test_a_try_that_was_not_made_leaves_its_place(clock: Clock, limit: Limit) -> None:
    outages(OUTAGES_TO_OPEN)
    clock.pass_(FIRST_OPEN)
    report(limiter.reserve(1, WATCH), [])
    assert limiter.reserve(1, WATCH).is_granted


@pytest.mark.parametrize("endpoint", ["list_clusters", "create_instance", "get_instance"])
def test_a_refused_key_is_a_failure_that_does_not_open_it(
    clock: Clock, limit: Limit, endpoint: str
) -> None:
    report(limiter.reserve(20, WATCH), [replace(KEY_REFUSED, endpoint=endpoint)] * 20)
    assert limiter.reserve(1, WATCH).is_granted
    assert row().last_failure_at is not None
    assert row().last_success_at is None
    assert row().last_error.startswith(f"{endpoint}: key_refused 401")


def test_what_an_edge_says_closes_nothing(clock: Clock, limit: Limit) -> None:
    """A gateway's own 429 is obeyed, and proves nothing of Novita behind it."""
    outages(OUTAGES_TO_OPEN - 1)
    report(Permit(1), [replace(BUSY, source=Source.EDGE)])
    clock.pass_(7 * SECOND)
    outages(1)
    assert not limiter.reserve(1, WATCH).is_granted


def test_a_form_that_cannot_be_read_is_no_outage(clock: Clock, limit: Limit) -> None:
    unreadable = CallRecord("list_instances", CallOutcome.UNREADABLE, 0.1, 200)
    report(limiter.reserve(20, WATCH), [unreadable] * 20)
    assert limiter.reserve(1, WATCH).is_granted


# Too many requests


def test_a_429_pauses_everybody_as_long_as_it_says(clock: Clock, limit: Limit) -> None:
    report(Permit(1), [BUSY])
    assert limiter.reserve(1, WATCH).wait == 7 * SECOND
    assert limiter.reserve(1, END).wait == 7 * SECOND
    clock.pass_(7 * SECOND)
    assert limiter.reserve(1, WATCH).is_granted


def test_a_429_pauses_for_no_longer_than_a_minute(clock: Clock, limit: Limit) -> None:
    """Its header could otherwise keep a GPU from being ended for a day."""
    long = CallRecord("get_instance", CallOutcome.RATE_LIMITED, 0.1, 429, retry_after=86_400)
    report(Permit(1), [long])
    assert limiter.reserve(1, WATCH).wait == timedelta(minutes=1)


def test_a_later_429_does_not_shorten_the_pause(clock: Clock, limit: Limit) -> None:
    report(Permit(1), [BUSY])
    report(Permit(1), [CallRecord("x", CallOutcome.RATE_LIMITED, 0.1, 429, retry_after=1)])
    assert limiter.reserve(1, WATCH).wait == 7 * SECOND


# Many processes


@pytest.mark.django_db(transaction=True)
def test_reports_in_any_order_do_not_deadlock(limit: Limit) -> None:
    """Two transactions report two kinds of calls crosswise, as two workers do."""
    create = CallRecord("create_instance", CallOutcome.OK, 0.1)
    report(Permit(0), [create, OK])

    def other() -> str:
        with transaction.atomic():
            report(Permit(0), [OK])
            report(Permit(0), [create])
        return "done"

    answers: list[str] = []
    with transaction.atomic():
        report(Permit(0), [create])
        thread = threading.Thread(target=lambda: answers.append(in_thread(other)))
        thread.start()
        _wait_until_somebody_waits()
        report(Permit(0), [OK])
    thread.join(timeout=20)
    assert answers == ["done"]


def _wait_until_somebody_waits() -> None:
    deadline = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    pytest.fail("nobody waits for a lock")
