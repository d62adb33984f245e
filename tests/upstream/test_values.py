from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstream import values


@given(st.binary())
def test_bytes_that_are_not_json_are_a_value_error(data):
    with suppress(ValueError):
        values.parse_json(data)


@pytest.mark.parametrize("data", [b"[" * 100_000, b"", b"[1", b"<html>", b"\xff"])
def test_hostile_json_is_a_value_error(data):
    with pytest.raises(ValueError):
        values.parse_json(data)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "9" * 5000, "1e99999999999999999999"])
def test_one_absurd_number_does_not_make_the_rest_unreadable(number):
    body = values.parse_json(f'{{"data": [{{"id": "a", "price": {number}}}]}}'.encode())
    assert (body["data"][0]["id"], values.price_e5(body["data"][0]["price"])) == ("a", None)


NO_PRICES = (
    *("0.35", "0.3500", "35000.0", "35000.2", "35.000", "35,000", "35 000", "$0.35", "0,35"),
    *("1e5", "1E+5", "-35000", "+35000", "035000", "0x8888", "NaN", "Infinity", "x", "35000 USD"),
    *(
        "\uff13\uff15\uff10\uff10\uff10",
        "\u0663\u0665\u0660\u0660\u0660",
        "9" * 30,
        "1",
        "35",
        "999",
        "100000001",
        True,
        [35000],
        {"usd": 1},
    ),
    *(Decimal("0.35"), Decimal("35000.5"), Decimal("1E+5"), Decimal("NaN"), 1, 35, 999, -35000),
    *(100_000_001, 2**63, 1.5),
)


@pytest.mark.parametrize("value", NO_PRICES, ids=repr)
def test_what_is_no_integer_in_the_documented_unit_is_no_price(value):
    assert values.price_e5(value) is None
    assert not values.is_no_price(value)


@pytest.mark.parametrize("value", ["", " ", "0", 0, None, [], {}, Decimal("0"), Decimal("0.0")])
def test_nothing_and_zero_say_that_there_is_no_price(value):
    assert values.price_e5(value) is None
    assert values.is_no_price(value)


@pytest.mark.parametrize("value", ["35000", 35000, " 35000 ", Decimal("35000"), Decimal("35000.0")])
def test_an_integer_is_a_price_as_text_and_as_number(value):
    assert values.price_e5(value) == 35_000


@pytest.mark.parametrize("value", [1_000, "100000000"])
def test_a_cent_and_a_thousand_dollars_an_hour_are_the_bounds_of_a_price(value):
    assert values.price_e5(value) == int(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1785780950", datetime(2026, 8, 3, 18, 15, 50, tzinfo=UTC)),
        (1785780950, datetime(2026, 8, 3, 18, 15, 50, tzinfo=UTC)),
        ("1785780950123", datetime(2026, 8, 3, 18, 15, 50, tzinfo=UTC)),
        ("2026-08-03T20:15:50+02:00", datetime(2026, 8, 3, 18, 15, 50, tzinfo=UTC)),
        *((never, None) for never in ("0", 0, "-1", "", None, [], "soon", 10**13, 10**17)),
        *((never, None) for never in ("2026-08-03T20:15:50", "0001-01-01T00:00:00Z")),
        ("9999-12-31T23:59:59-12:00", None),
    ],
)
def test_times_are_utc_or_never(value, expected):
    assert values.moment(value) == expected
