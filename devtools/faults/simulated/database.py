"""A database of the suite's own, whose clock is virtual and which is emptied between runs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

# The clock functions that Postgres looks up by name; the grammar's own words (CURRENT_TIMESTAMP)
# would pass them by, and are used nowhere.
_CLOCKS = ("clock_timestamp", "now", "statement_timestamp", "transaction_timestamp")
_CLOCK = """
CREATE FUNCTION virtual.{name}() RETURNS timestamptz STABLE PARALLEL SAFE LANGUAGE sql AS
$$ SELECT current_setting('virtual.now')::timestamptz $$;
"""
# A default is bound to a function when it is set: those of the migrations, to the real clock.
_DEFAULTS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND column_default = 'statement_timestamp()'
"""
_KEPT = ("django_migrations", "django_content_type", "auth_permission")


@contextmanager
def copied() -> Iterator[str]:
    """A copy of the database that the connection is of, prepared; yields its name."""
    template = str(connection.settings_dict["NAME"])
    name = f"{template}_{secrets.token_hex(4)}"
    # Postgres copies a template only while nobody is connected to it.
    connection.close()
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        with using(name):
            prepare()
        yield name
    finally:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def migrated() -> Iterator[None]:
    """A new database, prepared and in use; for programs that have none to copy."""
    before = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"faults_{os.getpid()}"
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        prepare()
        yield
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)


@contextmanager
def using(name: str) -> Iterator[None]:
    """The default connection, to another database for a while."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def prepare() -> None:
    """Give the database its virtual clock, which a connection turns on by its search path."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA virtual")
        for name in _CLOCKS:
            cursor.execute(_CLOCK.format(name=name))
        cursor.execute(_DEFAULTS)
        for table, column in cursor.fetchall():
            cursor.execute(
                f'ALTER TABLE "{table}" ALTER COLUMN "{column}"'
                " SET DEFAULT virtual.statement_timestamp()"
            )
    connection.close()


def empty(*, thoroughly: bool = True) -> None:
    """Forget every row of earlier runs; not thoroughly, in a tenth of the time, as long as what
    they leave behind in the tables does not pile up.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = sorted({name for (name,) in cursor.fetchall()} - set(_KEPT))
        if thoroughly:
            cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")
        else:
            # Foreign keys are triggers, too, and so is what keeps the events from being deleted.
            deletes = (f"DELETE FROM {table};" for table in tables)
            cursor.execute(
                f"SET session_replication_role = replica; {' '.join(deletes)}"
                " SET session_replication_role = DEFAULT"
            )
