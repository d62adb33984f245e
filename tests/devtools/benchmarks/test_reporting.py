"""From raw figures to what people read."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from devtools.benchmarks.reporting import page, terminal
from devtools.benchmarks.reporting.comparison import Table, tables
from devtools.benchmarks.reporting.evaluation import Verdict, verdicts
from devtools.benchmarks.reporting.figures import number, ratio, spread
from devtools.benchmarks.reporting.recovery import recovery_table
from devtools.benchmarks.results import Results
from devtools.benchmarks.stats import Spread
from tests.devtools.benchmarks.examples import results


def table(title: str) -> dict[str, list[str]]:
    """The cells by competitor."""
    (found,) = (each for each in tables(results()) if each.title == title)
    return cells(found)


def cells(found: Table) -> dict[str, list[str]]:
    return {row.competitor: list(row.cells) for row in found.rows}


def verdict(promise: str) -> Verdict:
    (found,) = (each for each in verdicts(results()) if each.promise.startswith(promise))
    return found


@pytest.mark.parametrize(
    ("value", "text"),
    [(41_320, "41,300"), (12.44, "12.4"), (0.5199, "0.520"), (0, "0"), (999.6, "1,000")],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_spread_names_its_ends_where_there_are_any() -> None:
    assert spread(Spread(2.0, 1.0, 3.0)) == "2.00 (1.00..3.00)"
    assert spread(Spread(2.0, 2.0, 2.0)) == "2.00"


def test_a_ratio_that_was_not_measured_is_a_dash() -> None:
    assert ratio(None) == "–"
    assert ratio(Spread(0.5, 0.1, 0.9)) == "0.500"


def test_ratios_stand_beside_the_figures() -> None:
    assert table("drain, batches of 200")["this engine"] == [
        "18,000 (12,000..24,000)",
        "0.600",
        "60.0",
    ]


def test_who_has_no_batches_is_shown_one_by_one_and_says_so() -> None:
    cell = table("drain, batches of 200")["django-q2"][0]
    assert cell == "300 (200..400) (no batches: one by one)"


def test_who_could_not_run_says_why() -> None:
    assert table("drain, one row a message")["Celery"][0] == (
        "could not run: there is no redis-server"
    )
    assert cells(recovery_table(results()))["Celery"][0] == (
        "could not run: there is no redis-server"
    )


def test_who_did_not_recover_is_not_given_a_figure() -> None:
    rows = cells(recovery_table(results()))
    assert rows["django-q2"][:2] == ["not within 90.0 s", "not within 90.0 s"]
    assert rows["this engine"][:2] == ["15.0 (14.0..16.0)", "15.2 (14.5..16.0)"]


@pytest.mark.parametrize(
    ("promise", "word"),
    [
        ("drain in batches of 200, against the floor", "met"),
        ("drain in batches of 200, against django-q2", "met"),
        ("drain, a commit in each job", "met"),
        ("drain, one row a message", "–"),
        ("pickup when idle", "missed"),
        ("kill -9 of the cluster", "met"),
        ("kill -9 of any one process", "missed"),
        ("frozen past the lease", "met"),
        ("several clusters", "missed"),
        ("another type's pickup", "met"),
        ("healthy items", "missed"),
        ("claim of 100 rows", "met"),
        ("… with a paused type", "missed"),
        ("… with only LOW due", "missed"),
        ("… under a long transaction", "met"),
    ],
)
def test_each_promise_is_evaluated_by_its_own_figures(promise: str, word: str) -> None:
    assert verdict(promise).word == word


def test_refused_writes_that_nobody_counted_do_not_keep_the_promise() -> None:
    found = results()
    found.targets["stale"]["refused"] = None
    (evaluated,) = (each for each in verdicts(found) if each.promise.startswith("frozen"))
    assert evaluated.word == "missed"


def test_what_was_not_measured_is_not_evaluated() -> None:
    assert {each.word for each in verdicts(Results())} == {"–"}


def test_the_page_holds_every_table_and_the_command(tmp_path: Path) -> None:
    written = page.write(results(), tmp_path, ["drain"], "make bench").read_text()
    for each in tables(results()):
        assert each.title[1:] in written
    assert "`make bench`" in written
    assert "benchmarks-drain.svg" in written
    assert "benchmarks-claims.svg" not in written
    assert "there is no redis-server" in written


def test_the_terminal_shows_the_same(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        terminal.show(results(), Console(file=out, width=200))
    shown = (tmp_path / "out").read_text()
    assert "18,000 (12,000..24,000)" in shown
    assert "missed" in shown


def test_figures_survive_the_file(tmp_path: Path) -> None:
    results().save(tmp_path / "figures.json")
    assert Results.load(tmp_path / "figures.json") == results()
