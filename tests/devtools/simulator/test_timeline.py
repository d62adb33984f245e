"""Timelines and prices as pure functions, checked over generated ones."""

from hypothesis import given
from hypothesis import strategies as st

from devtools.simulator.clock import SimulatedClock
from devtools.simulator.world.balance import Balance
from devtools.simulator.world.catalogue import drifted_e5
from devtools.simulator.world.timeline import (
    DAY_MS,
    Phase,
    cost_scaled,
    cut,
    next_change_ms,
    phase_at,
)

PHASES = st.lists(
    st.tuples(st.integers(0, 50), st.sampled_from(["pulling", "running", "exited"]),
              st.integers(0, 9)),
    min_size=1,
    max_size=8,
).map(lambda rows: [Phase(at, status, rate, 0) for at, status, rate in sorted(rows)])  # fmt: skip
INSTANTS = st.integers(0, 60)


@given(PHASES, INSTANTS, INSTANTS, INSTANTS)
def test_costs_of_adjoining_stretches_add_up(timeline, one, two, three):
    start, middle, end = sorted((one, two, three))
    whole = cost_scaled(timeline, start, end)
    assert whole == cost_scaled(timeline, start, middle) + cost_scaled(timeline, middle, end)


@given(PHASES, INSTANTS)
def test_walking_from_change_to_change_meets_the_same_costs(timeline, until):
    at, total = timeline[0].at_ms, 0
    while at < until:
        following = min(next_change_ms(timeline, at) or until, until)
        total += phase_at(timeline, at).rate_e5_day * (following - at)
        at = following
    assert total == cost_scaled(timeline, 0, until)


@given(PHASES, INSTANTS)
def test_forgetting_the_future_changes_neither_present_nor_past(timeline, now):
    past = cut(timeline, now) or timeline[:1]
    assert phase_at(past, now) == phase_at(timeline, now)
    assert cost_scaled(past, 0, now) == cost_scaled(timeline, 0, now)


@given(st.integers(0, 10**9), st.integers(1, 10))
def test_drift_stays_within_its_percentage(elapsed_ms, percent):
    price = drifted_e5(35_000, "key", elapsed_ms, percent)
    assert abs(price - 35_000) <= 350 * percent + 50
    assert price % 100 == 0


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_money_runs_out_at_the_first_instant_without_any(deposit, rate):
    balance = Balance(deposit, 0)
    balance.rate_e5_day = rate
    run_out = balance.run_out_ms()
    assert rate * run_out >= deposit * DAY_MS > rate * (run_out - 1)
    balance.accrue(run_out + 10**9)
    assert balance.run_out_ms() == run_out


def test_the_clock_keeps_its_reading_when_its_speed_changes():
    real = [1000]
    clock = SimulatedClock(1.0, real_ms=lambda: real[0])
    real[0] += 500
    clock.set_scale(60)
    assert clock.now_ms() == 1500
    real[0] += 1000
    assert clock.now_ms() == 61_500
    clock.set_scale(0)
    real[0] += 1000
    clock.advance(1.5)
    assert clock.now_ms() == 63_000
