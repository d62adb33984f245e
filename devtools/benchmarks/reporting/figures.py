"""Formats numbers for readers."""

import math

from devtools.benchmarks.stats import Spread


def number(value: float) -> str:
    """Three significant digits, with separators of thousands: 41,300; 12.4; 0.52."""
    if math.isinf(value):
        return "never"
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return f"{rounded:,.0f}" if digits <= 0 else f"{rounded:,.{digits}f}"


def spread(found: Spread) -> str:
    """``median (lowest..highest)``; only the median if all values are equal."""
    if found.lowest == found.highest:
        return number(found.median)
    return f"{number(found.median)} ({number(found.lowest)}..{number(found.highest)})"


def ratio(found: Spread | None) -> str:
    """The median of the rounds' ratios; a dash if there are none."""
    return "–" if found is None else number(found.median)
