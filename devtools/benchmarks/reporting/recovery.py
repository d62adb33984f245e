"""The recovery time of each competitor."""

from collections.abc import Sequence

from devtools.benchmarks.reporting.comparison import Row, Table, trouble_of
from devtools.benchmarks.reporting.figures import number, spread
from devtools.benchmarks.results import Results, longest
from devtools.benchmarks.stats import Spread


def recovery_table(results: Results) -> Table:
    """Seconds from kill -9 of all workers, which were started again at once."""
    header = ["running jobs started again", "all jobs started again", "depends on"]
    rows = [_row(results, name) for name in results.recovery_cases]
    return Table("recovery after kill -9", "seconds", header, rows)


def _row(results: Results, name: str) -> Row:
    case = results.recovery_cases[name]
    rounds = results.recovery.get(name)
    if not rounds:
        trouble = trouble_of(results, case["contender"]) or "not measured"
        return Row(case["title"], [trouble, "", case["note"]])
    everything = [
        float("inf") if each["all_started"] is None else each["all_started"] for each in rounds
    ]
    patience = results.about["plan"]["recovery_patience"]
    cells = [_within(longest(rounds), patience), _within(everything, patience), case["note"]]
    return Row(case["title"], cells)


def _within(seconds: Sequence[float], patience: float) -> str:
    if max(seconds) == float("inf"):
        return f"not within {number(patience)} s"
    return spread(Spread.of(seconds))
