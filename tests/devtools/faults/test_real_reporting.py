"""What a run is asked for, how it is evaluated, and where its figures go."""

from pathlib import Path

import pytest

from devtools.faults import report
from devtools.faults.plan import SIMULATED, Plan, plan_from
from devtools.faults.real.replay import attribute
from devtools.faults.real.scenario import Outcome
from devtools.faults.real.suite import SCENARIOS
from devtools.faults.results import BROKEN, MISSED, NOT_YET, Row, is_broken
from devtools.faults.stats import quantile

KNOWN = [SIMULATED, "F1", "F2", "F13"]


def test_without_a_word_everything_is_played_and_the_page_written() -> None:
    plan = plan_from({}, KNOWN)
    assert plan.is_full
    assert plan.wants("F13")
    assert list(plan.seeds("F13", 8)) == list(range(8))


def test_one_fault_and_one_seed_are_replayed() -> None:
    plan = plan_from({"ONLY": "f2", "SEED": "17"}, KNOWN)
    assert not plan.is_full
    assert (plan.wants("F2"), plan.wants("F13")) == (True, False)
    assert plan.seeds("F2", 12) == [17]


def test_a_quick_run_plays_at_least_one_seed_of_each() -> None:
    plan = plan_from({"QUICK": "1"}, KNOWN)
    assert not plan.is_full
    assert [len(plan.seeds("F1", runs)) for runs in (60, 8, 4)] == [7, 1, 1]
    assert len(plan.seeds(SIMULATED, 1000)) == 60


def test_so_many_runs_as_are_asked_for() -> None:
    assert len(plan_from({"RUNS": "50"}, KNOWN).seeds("F1", 4)) == 50


@pytest.mark.parametrize(
    ("environ", "word"), [({"ONLY": "F99"}, "F99"), ({"SEED": "x"}, "SEED"), ({"RUNS": "-1"}, "-1")]
)
def test_what_makes_no_sense_is_refused(environ: dict[str, str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        plan_from(environ, KNOWN)


def test_a_violation_breaks_a_fault_whatever_its_figures() -> None:
    row = Row("F2", "lost", seeds=[1], violations=["seed 1: I1: doubled"])
    assert row.verdict == BROKEN
    assert is_broken([Row("F1", "fine", seeds=[1]), row])


def test_a_slow_recovery_is_missed_but_no_violation() -> None:
    row = Row("F5", "killed", seeds=[1], recovered_seconds=[1.0] * 10 + [16.0], target_seconds=15)
    assert row.verdict == MISSED
    assert not is_broken([row])


def test_what_is_not_there_yet_is_neither_kept_nor_broken() -> None:
    row = Row("F9", "idempotency", not_yet="the header is not implemented")
    assert row.verdict == NOT_YET
    assert not is_broken([row])


def test_quantiles_are_of_what_was_measured() -> None:
    assert quantile([], 0.5) == 0
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile(range(100), 0.95) == 95


def test_a_violation_is_put_to_the_run_whose_instance_it_names() -> None:
    first, second = Outcome("F1", 1), Outcome("F1", 11)
    attribute(["I1: f1-1-3-ab runs", "I1: f1-11-3-ab runs", "I8: job 7 waits"], [first, second])
    assert first.violations == ["I1: f1-1-3-ab runs"]
    assert second.violations == ["I1: f1-11-3-ab runs", "I8: job 7 waits"]


def test_the_page_keeps_its_words_and_gets_new_figures(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    page.write_text(f"# Words\n\n{report.BEGIN}\nold\n{report.END}\n\nMore words.\n")
    rows = [
        Row("F1", "kill | die", seeds=range(3), instances=24, deaths=3, recovered_seconds=[0.5]),
        Row("F9", "idempotency", not_yet="to come"),
    ]
    report.write(rows, page, minutes=12.3)
    report.write(rows, page, minutes=12.3)
    text = page.read_text()
    assert text.startswith("# Words\n\n")
    assert text.endswith("\n\nMore words.\n")
    assert "old" not in text
    assert "| F1 | kill \\| die | 3 | 24 | 3 | 0.5 / 0.5 s | 0 |" in text
    assert "to come | not yet |" in text
    assert "Seeds: F1 0–2." in text
    assert text.count(report.BEGIN) == text.count(report.END) == 1


def test_every_scenario_is_there_once_and_can_be_asked_for() -> None:
    faults = [scenario.fault for scenario in SCENARIOS]
    assert len(faults) == len(set(faults))
    assert plan_from({"ONLY": ",".join(faults)}, faults) == Plan(tuple(faults))
    assert all(scenario.play or scenario.not_yet for scenario in SCENARIOS)
