"""Medians, percentiles and ratios of repeated measurements."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The spread of one measurement over several rounds."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Raises ValueError without values."""
        if not values:
            raise ValueError("no values")
        return cls(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 to 1) of the values do not exceed.

    The nearest-rank method: always a measured value. Raises ValueError without values.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[min(int(rank), len(ordered)) - 1]


def ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    """Round by round, so that a temporary load of the machine affects both.

    Rounds that one of the two lacks are left out.
    """
    return [a / b for a, b in zip(of, to, strict=False) if b > 0]
