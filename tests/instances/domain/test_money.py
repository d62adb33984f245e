"""Prices are integers; only their text has a point."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instances.domain.money import E5, cost_e5_usd, usd_text

AMOUNTS = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0.00"),
        (1, "0.00001"),
        (35_000, "0.35"),
        (50_000, "0.50"),
        (E5, "1.00"),
        (123_456, "1.23456"),
        (-10, "-0.0001"),
    ],
)
def test_amounts_are_written_with_two_digits_or_as_many_as_they_need(
    amount: int, text: str
) -> None:
    assert usd_text(amount) == text


@given(AMOUNTS)
def test_no_amount_loses_a_digit_on_its_way_to_text(amount: int) -> None:
    text = usd_text(amount)
    assert int(Decimal(text).scaleb(5)) == amount
    assert 2 <= len(text.partition(".")[2]) <= 5


@given(st.integers(0, 10**9), st.integers(1, 64), st.integers(0, 10**9))
def test_costs_are_exact_but_for_rounding_up_once(price: int, gpus: int, seconds: int) -> None:
    exact = Fraction(price * gpus * seconds, 3600)
    cost = cost_e5_usd(price, gpus, seconds)
    assert type(cost) is int
    assert exact <= cost < exact + 1


def test_time_that_runs_backwards_costs_nothing() -> None:
    assert cost_e5_usd(35_000, 1, -5) == 0
