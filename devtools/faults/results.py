"""One line of the table for each fault."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from devtools.faults.stats import quantile

KEPT, BROKEN, MISSED, NOT_YET = "kept", "BROKEN", "missed", "not yet"


@dataclass(slots=True)
class Row:
    """``target_seconds``: limit for the 95th percentile of the recoveries."""

    fault: str
    title: str
    seeds: Sequence[int] = ()
    instances: int = 0
    deaths: int = 0
    recovered_seconds: list[float] = field(default_factory=list)
    target_seconds: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    broken_seeds: list[int] = field(default_factory=list)
    seconds: float = 0.0
    not_yet: str = ""

    @property
    def runs(self) -> int:
        return len(self.seeds)

    @property
    def p50(self) -> float:
        return quantile(self.recovered_seconds, 0.5)

    @property
    def p95(self) -> float:
        return quantile(self.recovered_seconds, 0.95)

    @property
    def verdict(self) -> str:
        if self.not_yet:
            return NOT_YET
        if self.violations:
            return BROKEN
        is_slow = self.target_seconds is not None and self.p95 > self.target_seconds
        return MISSED if is_slow else KEPT

    @property
    def recovered(self) -> str:
        if not self.recovered_seconds:
            return "–"
        target = f" (≤ {self.target_seconds:g})" if self.target_seconds is not None else ""
        return f"{self.p50:.1f} / {self.p95:.1f} s{target}"

    @property
    def noted(self) -> str:
        return ", ".join(f"{name} {value:,g}" for name, value in self.figures.items())


def is_broken(rows: Sequence[Row]) -> bool:
    return any(row.violations for row in rows)
