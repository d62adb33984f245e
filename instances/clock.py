"""Moments as this API writes them."""

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """``2026-11-22T10:00:00.000Z``: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def exact_iso(moment: datetime) -> str:
    """The same to the microsecond, as the database keeps it: to compare with, not to show."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
