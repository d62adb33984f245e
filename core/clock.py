"""Database time: leases, deadlines and event times use it, not the clock of this host."""

from datetime import UTC, datetime

from django.db import connection
from django.db.models import DateTimeField, Func


class ClockTimestamp(Func):
    """Database time as an expression; unlike ``Now()`` it advances inside a transaction."""

    function = "clock_timestamp"
    output_field = DateTimeField()


def database_now() -> datetime:
    """Database time; unlike SQL's now() it advances inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    now: datetime = row[0]
    return now


def iso(moment: datetime) -> str:
    """``2026-11-22T10:00:00.000Z``: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def exact_iso(moment: datetime) -> str:
    """ISO 8601 with microseconds, as the database stores it: for comparisons, not for display."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
