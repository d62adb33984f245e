"""What the environment asks for."""

from __future__ import annotations

import pytest

from devtools.benchmarks.plan import QUICK, Plan, plan_from


def test_a_run_is_full_unless_it_is_asked_to_be_quick() -> None:
    assert plan_from({}) == Plan()
    assert plan_from({"QUICK": "0"}) == Plan()
    assert plan_from({"QUICK": "1"}) == QUICK


def test_rounds_can_be_chosen() -> None:
    assert plan_from({"ROUNDS": "3"}).rounds == 3
    assert plan_from({"ROUNDS": ""}).rounds == 5


@pytest.mark.parametrize("rounds", ["0", "-1", "many", "1.5"])
def test_rounds_that_are_no_number_are_refused(rounds: str) -> None:
    with pytest.raises(ValueError, match="ROUNDS"):
        plan_from({"ROUNDS": rounds})
