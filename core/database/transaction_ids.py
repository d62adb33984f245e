"""Transaction ids in rows, for readers that must miss no row that commits late.

Ids of rows are assigned before the commit, so a reader by id alone would miss rows of transactions
that commit later. Readers order by (xid, id) and read only what is final.
"""

from typing import Any

from django.db import models


class CurrentTransaction(models.Func):
    """Id of the current transaction (pg_current_xact_id)."""

    function = "pg_current_xact_id"
    arity = 0


class TransactionIdField(models.Field):  # type: ignore[type-arg]
    """Postgres's xid8: a transaction id that never wraps around."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> Any:
        # Postgres has no comparison of xid8 with integers; it accepts xid8 as text.
        return str(value) if isinstance(value, int) else value


# Id of the oldest transaction that may still commit rows, or of the next one. A snapshot covers
# the whole server: transactions of other databases are left out. A transaction that ended after the
# snapshot is no longer in pg_stat_activity and counts as open, which is correct.
FINAL_BEFORE = """(
    SELECT coalesce(
        (
            SELECT open.xid FROM pg_snapshot_xip(pg_current_snapshot()) AS open(xid)
            WHERE open.xid::xid NOT IN (
                SELECT backend_xid FROM pg_stat_activity
                WHERE backend_xid IS NOT NULL AND datname <> current_database()
            )
            ORDER BY open.xid LIMIT 1
        ),
        pg_snapshot_xmax(pg_current_snapshot())
    )
)"""
