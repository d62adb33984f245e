"""A quick selection of the real half: everything at once on one stack; `make faults` is the rest.

F1 dies at three of its points, F2 and F3 lose answers, F4 lets a worker stand still past its lease,
F13 deletes in vain, F14 lives among strangers.
"""

from pathlib import Path

from pytest_django.plugin import DjangoDbBlocker

from faults.real.playing import play_together
from faults.real.scenario import Scenario
from faults.real.stack import Shape, Stack
from faults.real.suite import SCENARIOS
from tests.stacks import copied_database

SEEDS = {"F1": [0, 1, 2], "F2": [1], "F3": [0], "F4": [1], "F13": [3], "F14": [0]}


def scenario(fault: str) -> Scenario:
    return next(each for each in SCENARIOS if each.fault == fault)


def test_a_quick_selection_of_faults_breaks_no_promise(
    template_database: None, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> None:
    parts = [(scenario(fault), seeds) for fault, seeds in SEEDS.items()]
    with (
        django_db_blocker.unblock(),
        Stack(tmp_path, copied_database(), Shape(clusters=2), RECONCILE_INTERVAL="2") as stack,
    ):
        outcomes = play_together(parts, stack)
    broken = {
        f"{each.fault} seed {each.seed}": each.violations for each in outcomes if each.violations
    }
    assert broken == {}
    assert sum(each.deaths for each in outcomes) >= len(SEEDS["F1"])
