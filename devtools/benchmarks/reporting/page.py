"""docs/benchmarks.md: the whole page is made from the raw figures."""

from collections.abc import Sequence
from pathlib import Path

from devtools.benchmarks.reporting.comparison import Table, tables
from devtools.benchmarks.reporting.evaluation import verdicts
from devtools.benchmarks.reporting.recovery import recovery_table
from devtools.benchmarks.results import Results

_PLOTS = {
    "drain": "Jobs a second by contender, on a logarithmic scale",
    "pickup": "Share of jobs that were started within a number of milliseconds after their commit",
    "recovery": "Seconds from kill -9 until every job was started again",
    "claims": "Milliseconds of a claim of 100 rows, by scenario",
}

_HOW = """
All competitors had the same {workers} worker processes and the same Postgres with the same
settings, and took turns: each of the {rounds} rounds measured every competitor before the next
round began. A figure is the median of the rounds, with the lowest and the highest in brackets; a
ratio is calculated within each round before the median. Other load of the machine changes figures
more than ratios.

- *Drain*: the worker processes are started and warm, then frozen (SIGSTOP) while the queue is
  filled, analysed and written to disk; the time runs from their thaw until the queue is empty,
  which is checked every 20 ms. *One row a message* does nothing, one job at a time; *batches* do
  nothing to 200 rows at once; *a commit in each job* writes one row in a transaction of its own for
  every job, through a claim of 200 if the competitor has batches.
- *Pickup*: {paced} jobs a round at {per_second:.0f} a second, at irregular intervals, from the
  return of the enqueuer's COMMIT to the first line of the handler, both by CLOCK_MONOTONIC, which
  all processes share. A handler that began before the enqueuer was running again counts as zero.
  Percentiles are of all rounds together, those of the rounds in brackets.
- *Recovery*: {hanging} hanging jobs, as many running as there are slots; kill -9 of every worker
  process, restarted at once; seconds from the kill. Jobs that are run again end at once, so that
  all find a slot. A lease that was renewed or claimed some seconds before the kill lapses sooner
  after it, by that time.
- *CPU*: user and system time of all worker processes, and of all of Postgres (or Redis) during the
  drain, the queries of the measurement included. *Memory*: proportional set size.
""".strip()

_CAVEATS = """
Limits of the comparison:

- The floor promises nothing: no lease, no retry, no history; a client that dies leaves its rows.
  It shows how fast this Postgres can deliver rows to Python at best.
- django-q2, Procrastinate and Celery deliver one job at a time. An application that puts 200 pieces
  of work into one of their jobs saves as much, but retries and counts them as one.
- Celery's broker is not the database: its enqueues are not part of the transaction that caused
  them, and its writes are on disk within a second instead of at commit.
- django-q2 and Celery delete completed jobs, this engine and Procrastinate keep them.
- django-q2's pickup follows its poll interval; it was set to a tenth of the default.
""".strip()


def write(results: Results, folder: Path, plots: Sequence[str], command: str) -> Path:
    """Write the page beside its plots; returns its path."""
    page = folder / "benchmarks.md"
    page.write_text("\n\n".join(_parts(results, plots, command)) + "\n")
    return page


def _parts(results: Results, plots: Sequence[str], command: str) -> list[str]:
    about = results.about
    plan = about["plan"]
    how = _HOW.format(
        workers=about["workers"],
        rounds=plan["rounds"],
        paced=plan["paced_jobs"],
        per_second=plan["paced_per_second"],
        hanging=plan["recovery_jobs"],
    )
    return [
        "# Benchmarks",
        "Made by the benchmark itself from `docs/benchmarks.json`; do not edit.",
        f"Repeat it with `{command}`.",
        _where(results),
        "## Promises",
        _promises(results),
        *_drawn(plots, ["drain", "pickup", "recovery", "claims"]),
        "## Comparison",
        *[part for table in tables(results) for part in (f"### {_title(table)}", _markdown(table))],
        f"### {_title(recovery_table(results))}",
        _markdown(recovery_table(results)),
        "## How it was measured",
        how,
        "## Settings of each contender",
        _given(results),
        "## Limits",
        _CAVEATS,
        *_troubles(results),
    ]


def _where(results: Results) -> str:
    about = results.about
    machine = about["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    postgres = ", ".join(f"{name} {value}" for name, value in about["postgres"].items())
    remark = f"\n\n{about['remark']}" if "remark" in about else ""
    return (
        f"Measured on {about['date']}: {machine['processor']}, {machine['memory']}, "
        f"{machine['system']}, Python {machine['python']}; load before the run "
        f"{about['load_before']:.1f}.\n\nPostgres: {postgres}.\n\nPackages: {versions}."
        f"{remark}"
    )


def _title(table: Table) -> str:
    title = table.title[0].upper() + table.title[1:]
    return f"{title} ({table.unit})"


def _markdown(table: Table) -> str:
    lines = [_line(["", *table.header]), _line(["---", *["---:"] * len(table.header)])]
    lines += [_line([row.competitor, *row.cells]) for row in table.rows]
    return "\n".join(lines)


def _promises(results: Results) -> str:
    lines = [_line(["", "target", "measured", ""]), _line(["---"] * 4)]
    lines += [
        _line([each.promise, each.target, each.measured, each.word]) for each in verdicts(results)
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _drawn(plots: Sequence[str], names: Sequence[str]) -> list[str]:
    return [f"![{_PLOTS[name]}](benchmarks-{name}.svg)" for name in names if name in plots]


def _given(results: Results) -> str:
    parts = []
    for about in results.contenders.values():
        counts = ", ".join(f"{task} {count:,}" for task, count in about["drains"].items())
        lines = [f"- {line}" for line in (*about["settings"], f"jobs in a drain: {counts}")]
        parts.append("\n".join([f"**{about['title']}**", "", *lines]))
    return "\n\n".join(parts)


def _troubles(results: Results) -> list[str]:
    if not results.troubles:
        return []
    lines = [f"- {what}: {trouble}" for what, trouble in results.troubles.items()]
    return ["## Errors", "\n".join(lines)]
