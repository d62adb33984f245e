"""``python -m devtools.benchmarks``: measure, or write the page again from earlier figures.

QUICK=1 for a short run, ROUNDS=n for another number of rounds, PART=api, webhooks, compare,
recovery or engine for one part only. Quick and partial runs write to .data/benchmarks, so that they
do not replace the figures of a full run.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from devtools.benchmarks.competitors.base import WORKERS
from devtools.benchmarks.http import report as report_api
from devtools.benchmarks.http.measure import measure as measure_api
from devtools.benchmarks.plan import Plan, plan_from
from devtools.benchmarks.processes import ROOT
from devtools.benchmarks.reporting import page, plots, terminal
from devtools.benchmarks.results import Results
from devtools.benchmarks.run import PARTS, run
from devtools.benchmarks.setup import open_setup
from devtools.benchmarks.webhooks import report as report_webhooks
from devtools.benchmarks.webhooks.measure import measure as measure_webhooks

COMMAND = "make bench"
_RAW = "benchmarks.json"
_RAW_API = "benchmarks-api.json"
_RAW_WEBHOOKS = "benchmarks-webhooks.json"
API, WEBHOOKS = "api", "webhooks"
ALL_PARTS = (API, WEBHOOKS, *PARTS)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devtools.benchmarks", description=__doc__)
    parser.add_argument("--again", type=Path, metavar="JSON", help="report these figures, no run")
    parser.add_argument("--output", type=Path, help="folder of page, figures and plots")
    arguments = parser.parse_args()
    console = Console()
    try:
        plan, parts = plan_from(environ), _parts(environ)
    except ValueError as error:
        console.print(str(error), markup=False)
        return 2
    folder = arguments.output or _folder(plan, parts)
    if arguments.again:
        return _report(Results.load(arguments.again), folder, console)
    for number in _SIGNALS:
        # An ignored SIGHUP (nohup) means that the run must survive its terminal.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        if API in parts:
            _measure_api(plan, folder, console)
        if WEBHOOKS in parts:
            _measure_webhooks(plan, folder, console)
        if not set(parts) - {API, WEBHOOKS}:
            return 0
        return _report(_measure(plan, parts, console), folder, console)
    except KeyboardInterrupt:
        console.print("Interrupted; nothing was written, nothing is left running.")
        return 130


def _parts(environ: Mapping[str, str]) -> Sequence[str]:
    """Raises ValueError for an unknown part."""
    part = environ.get("PART")
    if not part:
        return ALL_PARTS
    if part not in ALL_PARTS:
        raise ValueError(f"PART is {part}; it must be one of {', '.join(ALL_PARTS)}.")
    return [part]


def _folder(plan: Plan, parts: Sequence[str]) -> Path:
    is_full = plan.drain_scale == 1 and tuple(parts) in (ALL_PARTS, (API,), (WEBHOOKS,))
    return ROOT / ("docs" if is_full else ".data/benchmarks")


def _measure(plan: Plan, parts: Sequence[str], console: Console) -> Results:
    begun = time.monotonic()

    def say(text: str) -> None:
        seconds = int(time.monotonic() - begun)
        console.print(f"{seconds // 60:02}:{seconds % 60:02}  {text}", markup=False)

    with open_setup() as setup:
        results = run(setup, plan, parts, say)
        results.about["workers"] = WORKERS
        results.about["minutes"] = round((time.monotonic() - begun) / 60, 1)
        return results


def _measure_api(plan: Plan, folder: Path, console: Console) -> None:
    """Before the engine's parts, with servers of its own: those parts heat the machine for long."""
    folder.mkdir(parents=True, exist_ok=True)
    with open_setup() as setup:
        found = measure_api(
            setup,
            rounds=plan.api_rounds,
            seconds=plan.api_seconds,
            say=lambda text: console.print(text, markup=False),
        )
    (folder / _RAW_API).write_text(json.dumps(found, indent=1) + "\n")
    written = report_api.write(found, folder)
    console.print(report_api.measured(found), markup=False)
    console.print(str(written), markup=False)


def _measure_webhooks(plan: Plan, folder: Path, console: Console) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with open_setup() as setup:
        found = measure_webhooks(
            setup, rounds=plan.api_rounds, say=lambda text: console.print(text, markup=False)
        )
    (folder / _RAW_WEBHOOKS).write_text(json.dumps(found, indent=1) + "\n")
    written = report_webhooks.write(found, folder)
    console.print(report_webhooks.measured(found), markup=False)
    console.print(str(written), markup=False)


def _report(results: Results, folder: Path, console: Console) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    results.save(folder / _RAW)
    written = page.write(results, folder, plots.draw(results, folder), COMMAND)
    terminal.show(results, console)
    console.print(f"{written}, {folder / _RAW}", markup=False)
    return 0


def _interrupt(_: int, __: FrameType | None) -> None:
    """Handle the first signal only: a second Ctrl-C must not interrupt the clean-up."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
