"""A quick selection of the real half; `make faults` plays the rest, with many seeds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from devtools.faults.real.replay import play_together
from devtools.faults.real.scenario import Outcome
from devtools.faults.real.stack import Shape, Stack
from devtools.faults.real.suite import SCENARIOS
from tests.support.stacks import copied_database

Play = Callable[[Shape, Mapping[str, Sequence[int]]], list[Outcome]]


@pytest.fixture
def play(
    template_database: None, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[Play]:
    """Plays the seeds of some faults side by side, on one stack of that shape."""
    with django_db_blocker.unblock(), ExitStack() as running:

        def play(shape: Shape, seeds: Mapping[str, Sequence[int]]) -> list[Outcome]:
            made = Stack(tmp_path, copied_database(), shape, RECONCILE_INTERVAL="2")
            stack = running.enter_context(made)
            by_name = {scenario.fault: scenario for scenario in SCENARIOS}
            return play_together([(by_name[name], of) for name, of in seeds.items()], stack)

        yield play


def broken(outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    return {f"{each.fault} {each.seed}": each.violations for each in outcomes if each.violations}


@pytest.mark.long
def test_deaths_lost_answers_vain_deletes_and_strangers_break_no_promise(play: Play) -> None:
    """A death after the POST (F1), answers lost with and without effect (F2, F3), a delete that
    does nothing (F13), GPUs of others (F14): all at once.
    """
    outcomes = play(Shape(), {"F1": [1], "F2": [1], "F3": [0], "F13": [15], "F14": [0]})
    assert broken(outcomes) == {}
    assert sum(each.deaths for each in outcomes) == 1
    assert sum(each.instances for each in outcomes) == 24


def test_a_fleet_of_two_outlives_a_blindness_of_novita(play: Play) -> None:
    """F23: for some passes the list is empty and gets by id answer not-found."""
    (outcome,) = play(Shape(), {"F23": [1]})
    assert outcome.violations == []
    assert outcome.figures["hidden"] == 2


@pytest.mark.long
def test_a_worker_that_stands_still_past_its_lease_writes_nothing(play: Play) -> None:
    """F4: it is about to send a create when it stops; others prove that nothing was sent."""
    (outcome,) = play(Shape(clusters=2), {"F4": [1]})
    assert outcome.violations == []
    assert outcome.figures["stale writes refused"] >= 1
