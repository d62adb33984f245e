"""Medians, percentiles, ratios: the arithmetic behind every figure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devtools.benchmarks.stats import Spread, percentile, ratios

VALUES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50)


def test_a_spread_is_the_median_between_the_lowest_and_the_highest() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_a_spread_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        Spread.of([])


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)]
)
def test_a_percentile_is_the_value_at_its_rank(share: float, value: int) -> None:
    assert percentile(range(100, 0, -1), share) == value


@given(VALUES, st.floats(0.01, 1))
def test_a_percentile_was_measured_and_its_share_does_not_exceed_it(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(1 for value in values if value <= found) >= share * len(values) - 1e-9


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([10.0, 4.0], [5.0, 8.0]) == [2.0, 0.5]


def test_a_round_that_one_of_the_two_lacks_has_no_ratio() -> None:
    assert ratios([10.0, 4.0], [5.0]) == [2.0]
    assert ratios([10.0, 4.0], [0.0, 2.0]) == [2.0]
