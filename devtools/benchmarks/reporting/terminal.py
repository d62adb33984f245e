"""The result on a terminal."""

from rich.console import Console
from rich.table import Table as RichTable

from devtools.benchmarks.reporting.comparison import Table, tables
from devtools.benchmarks.reporting.evaluation import verdicts
from devtools.benchmarks.reporting.recovery import recovery_table
from devtools.benchmarks.results import Results

_COLOURS = {"met": "green", "missed": "red", "–": "dim"}


def show(results: Results, console: Console) -> None:
    """Print all tables, then the promises."""
    for table in [*tables(results), recovery_table(results)]:
        console.print(_drawn(table))
    promises = RichTable(title="promises", title_justify="left")
    for name in ("what", "target", "measured", ""):
        promises.add_column(name)
    for each in verdicts(results):
        word = f"[{_COLOURS[each.word]}]{each.word}[/]"
        promises.add_row(each.promise, each.target, each.measured, word)
    console.print(promises)
    for what, trouble in results.troubles.items():
        console.print(f"{what}: {trouble}", markup=False)


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(title=f"{table.title}: {table.unit}", title_justify="left")
    drawn.add_column("")
    for name in table.header:
        drawn.add_column(name, justify="right")
    for row in table.rows:
        drawn.add_row(row.competitor, *row.cells)
    return drawn
