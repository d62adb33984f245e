"""Many runs one after the other, and their sums."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from devtools.faults.simulated.run import Report, run_seed


@dataclass(slots=True)
class Summary:
    """``broken``: the seeds with violations, each with its violations."""

    runs: int = 0
    instances: int = 0
    seconds: float = 0.0
    virtual_seconds: float = 0.0
    crashes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    broken: dict[int, list[str]] = field(default_factory=dict)

    def add(self, report: Report) -> None:
        self.runs += 1
        self.instances += report.instances
        self.virtual_seconds += report.virtual_seconds
        self.crashes += report.crashes
        self.faults += report.faults
        if report.violations:
            self.broken[report.seed] = report.violations


def run_many(
    first_seed: int, count: int, *, each: Callable[[Report], object] = lambda report: None
) -> Summary:
    """Run consecutive seeds on the present database; ``each`` is called with every report."""
    return run_seeds(range(first_seed, first_seed + count), each=each)


def run_seeds(
    seeds: Iterable[int], *, each: Callable[[Report], object] = lambda report: None
) -> Summary:
    summary, begun = Summary(), time.perf_counter()
    for seed in seeds:
        report = run_seed(seed)
        summary.add(report)
        each(report)
    summary.seconds = time.perf_counter() - begun
    return summary
