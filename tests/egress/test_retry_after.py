from __future__ import annotations

from datetime import UTC, datetime

import pytest

from egress.retry_after import parse_retry_after

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("999999999", 86_400.0),
        ("Sun, 01 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Nov 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Nov 2099 12:00:30 GMT", 86_400.0),
    ],
)
def test_seconds_and_dates_are_understood_and_capped_at_a_day(value, seconds):
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize("value", [None, "", "-5", "inf", "nan", "1e9", "soon", "x" * 500, "٣"])
def test_nonsense_is_none(value):
    assert parse_retry_after(value, NOW) is None
