"""Moments as this API writes them."""

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """``2026-11-22T10:00:00.000Z``: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
