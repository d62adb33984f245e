"""The one clock: leases, deadlines and event times come from the database, not from this host."""

from accounts.database_clock import ClockTimestamp
from jobs.database_clock import database_now

__all__ = ["ClockTimestamp", "database_now"]
