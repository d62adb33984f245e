"""``make faults``: the long suite, one table, and docs/reliability.md.

ONLY=F2 runs one fault (F2,F3 two), SEED=17 one seed, RUNS=50 that many seeds of each, QUICK=1 an
eighth. Only a full run writes the page. Exit code 1 on any violation.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

import psutil
from rich.console import Console

from devtools.embedded_postgres import stop
from devtools.faults import report, seeded
from devtools.faults.plan import SIMULATED, SIMULATED_RUNS, Plan, plan_from
from devtools.faults.real.environment import Environment, open_folders
from devtools.faults.real.processes import kill_all
from devtools.faults.real.suite import SCENARIOS
from devtools.faults.results import Row, is_broken

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
# Width of the output if it is not a terminal.
WIDTH = 160

Say = Callable[[str], None]


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Returns the exit status."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    known = [SIMULATED, *(scenario.fault for scenario in SCENARIOS)]
    try:
        plan = plan_from(environ, known)
    except ValueError as error:
        console.print(str(error), markup=False)
        return 2
    begun = time.monotonic()

    def say(text: str) -> None:
        seconds = int(time.monotonic() - begun)
        console.print(f"{seconds // 60:02}:{seconds % 60:02}  {text}", markup=False)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    rows = run(plan, say)
    report.show(rows, console)
    if plan.is_full:
        report.write(rows, PAGE, minutes=(time.monotonic() - begun) / 60)
    return 1 if is_broken(rows) else 0


def run(plan: Plan, say: Say) -> list[Row]:
    """Run the simulated seeds, then the real processes."""
    rows = []
    with Environment.open() as environment:
        if plan.wants(SIMULATED):
            rows.append(seeded.run(environment, plan.seeds(SIMULATED, SIMULATED_RUNS), say))
        wanted = [each for each in SCENARIOS if plan.wants(each.fault)]
        return rows + environment.play_all(
            [(each, plan.seeds(each.fault, each.runs)) for each in wanted], say
        )


def _end(_: int, __: FrameType | None) -> None:
    """End this process at once with all that it started: the threads would run to their ends."""
    kill_all(psutil.Process().children(recursive=True))
    for folder in open_folders:
        for server in (folder, *folder.iterdir()):
            if (server / "postgres").is_dir():
                stop(server / "postgres")
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
