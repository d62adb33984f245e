"""Operations for tables that are in use; Django takes no module with an underscore for a migration."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently


class AddIndexOnline(AddIndexConcurrently):
    """Builds an index beside writers, however long it takes, and can be run again.

    A build that fails leaves an index which is kept up and never used: it is dropped and built
    anew. One that an earlier run has finished stays.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        self._ensure_not_in_transaction(schema_editor)
        is_valid = _is_valid(schema_editor.connection, self.index.name)
        if is_valid:
            return
        with _unhurried(schema_editor):
            if is_valid is not None:
                name = schema_editor.quote_name(self.index.name)
                schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            super().database_forwards(app_label, schema_editor, *states)

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        self._ensure_not_in_transaction(schema_editor)
        with _unhurried(schema_editor):
            super().database_backwards(app_label, schema_editor, *states)


def _is_valid(connection: Any, name: str) -> bool | None:
    """None: there is none of that name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name])
        row = cursor.fetchone()
    return row and row[0]


@contextmanager
def _unhurried(schema_editor: Any) -> Iterator[None]:
    """The limits of requests would end a build: it reads the table twice, and waits in between
    until all transactions that were open have ended.
    """
    limits = ("statement_timeout", "lock_timeout")
    for limit in limits:
        schema_editor.execute(f"SET {limit} = 0")
    try:
        yield
    finally:
        for limit in limits:
            schema_editor.execute(f"RESET {limit}")
