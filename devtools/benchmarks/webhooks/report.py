"""docs/benchmarks-webhooks.md: one table. People write the text below it.

Only the part between the two marks is replaced.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from devtools.benchmarks.marked import replace_measured

PAGE = "benchmarks-webhooks.md"


def write(found: Mapping[str, Any], folder: Path) -> Path:
    """Replace the measured part of the page."""
    return replace_measured(folder / PAGE, "Webhooks, measured", measured(found))


def measured(found: Mapping[str, Any]) -> str:
    """The table in Markdown: medians of the rounds, and the targets."""
    about = (
        f"{found['date']}, {', '.join(found['machine'].values())}. {found['rounds']} rounds; "
        "medians, and lowest to highest in brackets. Publisher, receivers, workers and Postgres "
        "share the machine."
    )
    ratio = [
        hanging / healthy
        for hanging, healthy in zip(
            _all(found, "some hang", "p95_ms"), _all(found, "healthy", "p95_ms"), strict=True
        )
    ]
    rows = [
        "| From commit to arrival | measured | target |",
        "| --- | --- | --- |",
        _row("idle, p50", _all(found, "idle", "p50_ms"), "ms", 30),
        _row("idle, p95", _all(found, "idle", "p95_ms"), "ms", 100),
        _row("100 events/s to 200 endpoints, p95", _all(found, "healthy", "p95_ms"), "ms", 1000),
        _row("the same, 40 of them hang: the others', p95", _all(found, "some hang", "p95_ms"),
             "ms", 1000),
        _row("ratio of these two", ratio, "", 1.5),
        _row("300 receivers of another project hang, p95",
             _all(found, "beside a flood", "p95_ms"), "ms", 2000),
        _row("a backlog of 3,000, messages/s", _all(found, "backlog", "rate"), "", 300,
             is_least=True),
    ]  # fmt: skip
    return "\n".join([about, "", *rows])


def _all(found: Mapping[str, Any], what: str, figure: str) -> Sequence[float]:
    return [each[figure] for each in found["figures"] if each["what"] == what]


def _row(
    name: str, values: Sequence[float], unit: str, goal: float, *, is_least: bool = False
) -> str:
    middle = median(values)
    is_met = middle >= goal if is_least else middle <= goal
    digits = 2 if goal < 10 else 0
    shown = f"{middle:.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}] {unit}"
    sign = "≥" if is_least else "≤"
    return f"| {name} | {shown.strip()} | {sign} {goal:g}: {'met' if is_met else 'MISSED'} |"
