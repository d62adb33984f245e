"""The one clock: leases, deadlines and event times come from the database, not from this host."""

from datetime import UTC, datetime

from django.db import connection
from django.db.models import DateTimeField, Func


class ClockTimestamp(Func):
    """The present by Postgres; unlike ``Now()`` it moves inside a transaction."""

    function = "clock_timestamp"
    output_field = DateTimeField()


def database_now() -> datetime:
    """The present by Postgres; unlike now() it moves inside a transaction."""
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
    """The same to the microsecond, as the database keeps it: to compare with, not to show."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
