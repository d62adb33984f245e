"""The few figures that a table needs."""

from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which so large a share lies (nearest rank); 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
