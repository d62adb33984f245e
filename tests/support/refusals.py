"""Statements that Postgres refuses, in place of patched functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from psycopg.errors import Error


@contextmanager
def refused_by_postgres(event: str, table: str, when: str, error: type[Error]) -> Iterator[None]:
    """INSERT or UPDATE of rows of the table fail with the error where the condition holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{error.sqlstate}'; END $$;
            CREATE TRIGGER refuse BEFORE {event} ON {table} FOR EACH ROW WHEN ({when})
            EXECUTE FUNCTION pg_temp.refuse()
            """
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION pg_temp.refuse CASCADE")


@contextmanager
def failing_statements(word: str, error: Exception) -> Iterator[None]:
    """Statements of this connection that contain the word raise the error."""

    def execute(run: Any, sql: str, *rest: Any) -> Any:
        if word in sql:
            raise error
        return run(sql, *rest)

    with connection.execute_wrapper(execute):
        yield
