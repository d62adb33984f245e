"""The one clock: leases, deadlines and event times come from the database, not from this host."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The present by Postgres; unlike now() it moves inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    now: datetime = row[0]
    return now
