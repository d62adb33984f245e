"""The results on the terminal and in docs/reliability.md, between its other text."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from devtools.faults.machine import describe
from devtools.faults.results import BROKEN, KEPT, Row

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_COLOURS = {KEPT: "green", BROKEN: "bold red"}
_HEADER = ("", "fault", "runs", "instances", "deaths", "recovered p50 / p95", "violations", "")


def show(rows: Sequence[Row], console: Console) -> None:
    table = Table(title="what happened and what was kept", title_justify="left")
    for number, name in enumerate(_HEADER):
        table.add_column(name, justify="right" if 2 <= number <= 6 else "left")
    for row in rows:
        cells = _cells(row)
        table.add_row(*cells[:-1], f"[{_COLOURS.get(row.verdict, 'yellow')}]{cells[-1]}[/]")
    console.print(table)
    for row in rows:
        for text in row.violations:
            console.print(f"{row.fault} {text}", markup=False)


def write(rows: Sequence[Row], page: Path, *, minutes: float) -> None:
    """Replace the old figures; the rest of the page is written by people."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = [BEGIN, *_measured(rows, minutes), END]
    page.write_text(before + "\n\n".join(parts) + after, encoding="utf-8")


def _measured(rows: Sequence[Row], minutes: float) -> list[str]:
    lines = [
        _line([*_HEADER[:-1], "noted", ""]),
        _line(["---", "---", *["---:"] * 5, "---", "---"]),
    ]
    for row in rows:
        *cells, verdict = _cells(row)
        lines.append(_line([*cells, row.not_yet or row.noted, verdict]))
    runs, deaths = sum(row.runs for row in rows), sum(row.deaths for row in rows)
    instances = sum(row.instances for row in rows)
    broken = [f"- {row.fault} {text}" for row in rows for text in row.violations]
    return [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} in {minutes:.0f} minutes: {describe()}.",
        f"**{runs:,} runs, {instances:,} instances, {deaths:,} deaths, "
        f"{sum(len(row.violations) for row in rows)} violations.**",
        "\n".join(lines),
        f"Seeds: {'; '.join(f'{row.fault} {_span(row.seeds)}' for row in rows if row.seeds)}.",
        *(["What was broken:", "\n".join(broken)] if broken else []),
    ]


def _cells(row: Row) -> list[str]:
    if row.not_yet:
        return [row.fault, row.title, "–", "–", "–", "–", "–", row.verdict]
    counts = [f"{count:,}" for count in (row.runs, row.instances, row.deaths)]
    return [row.fault, row.title, *counts, row.recovered, str(len(row.violations)), row.verdict]


def _span(seeds: Sequence[int]) -> str:
    first, last = min(seeds), max(seeds)
    return f"{first}" if first == last else f"{first}–{last}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
