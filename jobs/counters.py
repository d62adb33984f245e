"""Counters of the worker processes: rows in Postgres, since workers have no port for scrapes."""

import structlog
from django.db import Error, connection

logger = structlog.get_logger()

STALE_WRITES_REFUSED = "stale_writes_refused"
LEASES_LAPSED = "leases_lapsed"
RUN_LIMITS_EXCEEDED = "run_limits_exceeded"
CLUSTER_RESTARTS = "cluster_restarts"
JOBS_PRUNED = "jobs_pruned"

NAMES = (
    STALE_WRITES_REFUSED,
    LEASES_LAPSED,
    RUN_LIMITS_EXCEEDED,
    CLUSTER_RESTARTS,
    JOBS_PRUNED,
)


def count(name: str, by: int = 1) -> None:
    """Add to a counter, in the caller's transaction if there is one. For rare events only."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_counter AS c (name, value) VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET value = c.value + excluded.value",
            [name, by],
        )


def try_to_count(name: str, by: int = 1) -> None:
    """Like ``count``, but a database error is only logged: the caller must go on without it."""
    try:
        count(name, by)
    except Error as error:
        logger.warning("not_counted", name=name, by=by, error=str(error))
        connection.close()
