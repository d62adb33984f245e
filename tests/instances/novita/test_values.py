from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instances.novita import values


@given(st.binary())
def test_bytes_that_are_not_json_are_a_value_error(data):
    with suppress(ValueError):
        values.parse_json(data)


@pytest.mark.parametrize("data", [b"[" * 100_000, b"9" * 5000, b"NaN", b"[Infinity]", b"\xff"])
def test_hostile_json_is_a_value_error(data):
    with pytest.raises(ValueError):
        values.parse_json(data)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("35000", 35000),
        (35000, 35000),
        (" 35000 ", 35000),
        (Decimal("35000.0"), 35000),
        ("35000.2", 35001),
        (2**63 - 1, 2**63 - 1),
        *((nothing, None) for nothing in ("", "0", 0, None, [], {}, True, "-5", -5, "1e5", "x")),
        ("9" * 30, None),
        (2**63, None),
        (1.5, None),
    ],
)
def test_money_is_an_integer_or_nothing(value, expected):
    assert values.money_e5(value) == expected


def test_a_price_that_no_float_can_hold_survives():
    body = values.parse_json(b'{"price": 9007199254740993.0}')
    assert values.money_e5(body["price"]) == 9007199254740993


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1785780950", datetime(2026, 8, 3, 18, 15, 50, tzinfo=UTC)),
        (1785780950, datetime(2026, 8, 3, 18, 15, 50, tzinfo=UTC)),
        *((never, None) for never in ("0", 0, "-1", "", None, [], "soon", 10**13, "1785780950123")),
    ],
)
def test_times_are_utc_or_never(value, expected):
    assert values.moment(value) == expected
