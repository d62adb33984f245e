"""The database's clock as a column, for a query that is asked anyway."""

from django.db.models import DateTimeField, Func


class ClockTimestamp(Func):
    """The present by Postgres; unlike ``Now()`` it moves inside a transaction."""

    function = "clock_timestamp"
    output_field = DateTimeField()
