"""The simulated part in processes of its own: ``python -m devtools.faults.seeded SEED ...``.

Each process has its own database.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from devtools.faults.plan import SIMULATED
from devtools.faults.real.databases import Database, copy_of
from devtools.faults.real.environment import Environment
from devtools.faults.real.processes import ROOT
from devtools.faults.results import Row

PROCESSES = 2
SAID_EVERY = 50


def run(environment: Environment, seeds: Sequence[int], say: Callable[[str], None]) -> Row:
    """Run these seeds, divided among some processes."""
    row = Row(SIMULATED, "a simulated life of the service from one seed", seeds=seeds)
    begun = time.monotonic()
    with ExitStack() as closing:
        shares = [share for share in (seeds[n::PROCESSES] for n in range(PROCESSES)) if share]
        databases = [
            closing.enter_context(copy_of(environment.server, environment.template.name))
            for _ in shares
        ]
        pool = closing.enter_context(ThreadPoolExecutor(PROCESSES))
        for _ in pool.map(lambda pair: _play(row, say, *pair), zip(shares, databases, strict=True)):
            pass
    row.seconds = time.monotonic() - begun
    return row


def _play(row: Row, say: Callable[[str], None], seeds: Sequence[int], database: Database) -> None:
    command = [sys.executable, "-m", "devtools.faults.seeded", *map(str, seeds)]
    variables = {**os.environ, "DATABASE_URL": database.url}
    with subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None  # noqa: S101 - it was opened as a pipe
        for number, line in enumerate(child.stdout, start=1):
            _add(row, json.loads(line))
            if number % SAID_EVERY == 0:
                say(f"{SIMULATED} {number} of {len(seeds)} seeds in one of {PROCESSES} processes")
    if child.returncode:
        row.violations.append(f"a process of {len(seeds)} seeds ended with {child.returncode}")


def _add(row: Row, report: dict[str, object]) -> None:
    row.instances += int(str(report["instances"]))
    row.deaths += int(str(report["deaths"]))
    row.figures["runs with a death"] = row.figures.get("runs with a death", 0) + bool(
        report["deaths"]
    )
    hours = float(str(report["virtual_seconds"])) / 3600
    row.figures["hours lived"] = round(row.figures.get("hours lived", 0) + hours, 2)
    row.figures["faults"] = row.figures.get("faults", 0) + int(str(report["faults"]))
    violations = report["violations"]
    assert isinstance(violations, list)  # noqa: S101 - of _report
    row.violations += [f"seed {report['seed']}: {text}" for text in violations]


def main(seeds: Sequence[int]) -> None:
    """Run the seeds on the present database; prints one line of JSON for each."""
    import django

    django.setup()
    from devtools.faults.simulated import database
    from devtools.faults.simulated.many import run_seeds
    from devtools.faults.simulated.run import Report

    def tell(report: Report) -> None:
        if report.violations:
            # The whole story of the run, to find the cause.
            sys.stderr.write(f"{report}\n")
        line = {
            "seed": report.seed,
            "instances": report.instances,
            "deaths": sum(report.crashes.values()),
            "faults": sum(report.faults.values()),
            "virtual_seconds": report.virtual_seconds,
            "violations": report.violations,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    database.prepare()
    run_seeds(seeds, each=tell)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
