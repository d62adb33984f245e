"""Job types and their patience."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import UnknownJobType
from jobs.handler import RetryPolicy, all_types, get_type
from tests.jobs.conftest import Register


def test_an_unknown_type_is_named(register: Register) -> None:
    with pytest.raises(UnknownJobType, match="unheard"):
        get_type("unheard")


def test_the_last_registration_of_a_name_counts(register: Register) -> None:
    register("noop")
    second = register("noop")
    assert get_type("noop").handler is second
    assert len(all_types()) == 1


@given(attempt=st.integers(1, 40_000))
def test_the_wait_doubles_within_its_jitter_up_to_the_longest(attempt: int) -> None:
    policy = RetryPolicy(first=timedelta(seconds=2), longest=timedelta(minutes=5), jitter=0.2)
    plain = min(timedelta(seconds=2) * 2 ** min(attempt - 1, 20), timedelta(minutes=5))
    assert plain * 0.8 <= policy.delay(attempt) <= plain * 1.2


def test_what_failed_together_does_not_come_back_together() -> None:
    assert len({RetryPolicy().delay(3) for _ in range(20)}) > 1
