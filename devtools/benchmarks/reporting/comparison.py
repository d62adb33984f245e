"""The table that compares the competitors; terminal and page show the same cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from devtools.benchmarks.competitors.base import BATCHED, COMMIT, NOOP
from devtools.benchmarks.reporting.figures import number, ratio, spread
from devtools.benchmarks.results import Results
from devtools.benchmarks.stats import Spread

FLOOR, STOCK = "floor", "stock"

RATES = (
    ("enqueue_one", "enqueue, one a transaction"),
    ("enqueue_many", "enqueue, in bulk"),
    (NOOP, "drain, one row a message"),
    (BATCHED, "drain, batches of 200"),
    (COMMIT, "drain, a commit in each job"),
)
PERCENTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


@dataclass(frozen=True, slots=True)
class Row:
    """The row of a competitor; ``cells`` in the order of the header."""

    competitor: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """``unit``: the unit of the figures."""

    title: str
    unit: str
    header: Sequence[str]
    rows: Sequence[Row]


def tables(results: Results) -> list[Table]:
    """All tables but recovery and targets; none if the competitors were not compared."""
    if not any(results.rounds.values()):
        return []
    rates = [_rate_table(results, measure, title) for measure, title in RATES]
    return [*rates, _pickup_table(results), _cost_table(results)]


def trouble_of(results: Results, competitor: str) -> str | None:
    """The reason why a competitor has no figures."""
    if results.rounds.get(competitor):
        return None
    own = [text for key, text in results.troubles.items() if key.startswith(competitor)]
    return f"could not run: {own[0]}" if own else "not measured"


def _rate_table(results: Results, measure: str, title: str) -> Table:
    rows = []
    for name, about in results.contenders.items():
        values = results.rates(name, measure)
        if values:
            note = _note(results, name, measure)
            cells = [
                spread(Spread.of(values)) + note,
                ratio(results.rate_ratio(name, FLOOR, measure)),
                ratio(results.rate_ratio(name, STOCK, measure)),
            ]
        else:
            cells = [trouble_of(results, name) or "–", "", ""]
        rows.append(Row(about["title"], cells))
    return Table(
        title, "jobs a second", ["median (lowest..highest)", "× floor", "× django-q2"], rows
    )


def _note(results: Results, competitor: str, measure: str) -> str:
    return " (no batches: one by one)" if _lacks_batches(results, competitor, measure) else ""


def _lacks_batches(results: Results, competitor: str, measure: str) -> bool:
    return measure == BATCHED and not results.has_batches(competitor)


def _pickup_table(results: Results) -> Table:
    rows = []
    for name, about in results.contenders.items():
        found = [results.pickup(name, share) for share, _ in PERCENTILES]
        cells = [
            "–" if each is None else f"{number(each[0])} ({_range(each[1])})" for each in found
        ]
        rows.append(Row(about["title"], cells if any(found) else _empty(results, name, 3)))
    header = [name for _, name in PERCENTILES]
    return Table("pickup at 25 jobs a second", "ms from COMMIT to the handler", header, rows)


def _range(found: Spread) -> str:
    return f"{number(found.lowest)}..{number(found.highest)}"


def _cost_table(results: Results) -> Table:
    rows = []
    for name, about in results.contenders.items():
        memory = results.memory(name)
        if not memory:
            rows.append(Row(about["title"], _empty(results, name, 4)))
            continue
        cells = [
            _cost(results, name, "cpu_per_1000", NOOP),
            _cost(results, name, "server_cpu_per_1000", NOOP),
            _batched_cost(results, name),
            number(Spread.of(memory).median),
        ]
        rows.append(Row(about["title"], cells))
    header = ["workers, one by one", "server, one by one", "both, batches", "memory, MiB"]
    return Table("cost", "CPU seconds for 1,000 jobs; memory of all worker processes", header, rows)


def _cost(results: Results, name: str, what: str, measure: str) -> str:
    values = results.costs(name, what, measure)
    return number(Spread.of(values).median) if values else "–"


def _batched_cost(results: Results, name: str) -> str:
    if not results.has_batches(name):
        return "no batches"
    own = results.costs(name, "cpu_per_1000", BATCHED)
    server = results.costs(name, "server_cpu_per_1000", BATCHED)
    return number(Spread.of([a + b for a, b in zip(own, server, strict=True)]).median)


def _empty(results: Results, name: str, width: int) -> list[str]:
    trouble = trouble_of(results, name)
    return [trouble or "–", *[""] * (width - 1)]
