"""The one clock: leases, deadlines and event times come from the database, not from this host."""

from django.db.models import DateTimeField, Func

from jobs.database_clock import database_now

__all__ = ["ClockTimestamp", "database_now"]


class ClockTimestamp(Func):
    """``database_now`` as a column, for a query that is asked anyway."""

    function = "clock_timestamp"
    output_field = DateTimeField()
