"""Queries that are compiled once: for the few that every request makes.

Django composes the SQL of a queryset anew each time, and Postgres plans it anew; both take several
times as long as the answer (docs/benchmarks-api.md has the profile). Here the queryset is written
as usual, with example values; its SQL is composed at the first use, and from then on only the
values change. In processes that serve requests (``keep_plans``) Postgres keeps the plan, once per
connection.
"""

import itertools
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import psycopg
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    connection,
    connections,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=Model)

_MARK = re.compile("%(%|s)")


def keep_plans(connection: BaseDatabaseWrapper, **signal: Any) -> None:
    """For the signal ``connection_created``, where requests are served. Nowhere else: once psycopg
    has prepared anything it deallocates all that there is with every rollback, and claimers keep
    plans of their own (jobs/engine/claim.py).
    """
    connection.connection.prepare_threshold = 0


def execute(sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row of a statement; ``sql`` numbers its values, $1 and so on. Errors are Django's
    own.
    """
    # What ``connection`` stands for in this thread, looked up once.
    current = connections[DEFAULT_DB_ALIAS]
    current.ensure_connection()
    cursor = psycopg.RawCursor(current.connection)
    # Django's own wrapper, for its errors and for whoever listens to queries.
    with current._prepare_cursor(cursor) as wrapped:  # type: ignore[attr-defined]
        wrapped.execute(sql, values)
        row: tuple[Any, ...] | None = wrapped.fetchone()
    return row


def numbered(sql: str) -> str:
    """Django's placeholders as Postgres' own."""
    numbers = itertools.count(1)
    return _MARK.sub(lambda mark: "%" if mark[1] == "%" else f"${next(numbers)}", sql)


class Prepared(Generic[M]):
    """A queryset that gives one row or none.

    ``build`` gets one example per parameter; each must be a value that occurs nowhere else in the
    query. Annotations become attributes of the row, ``select_related`` works as it does elsewhere.
    """

    def __init__(self, build: Callable[..., QuerySet[M]], **examples: str | int) -> None:
        self._build = build
        self._examples = examples
        self._compiled: _Compiled[M] | None = None
        self._lock = threading.Lock()

    def first(self, **values: Any) -> M | None:
        """The row for these values, one for each example."""
        if self._compiled is None:
            with self._lock:
                self._compiled = _Compiled(self._build(**self._examples), self._examples)
        return self._compiled.first(values)


class _Compiled(Generic[M]):
    """What Django's ModelIterable works out for each queryset, kept."""

    def __init__(self, queryset: QuerySet[M], examples: Mapping[str, Any]) -> None:
        compiler = queryset.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        names = {value: name for name, value in examples.items()}
        self._sql = numbered(sql)
        self._parameters = [(names.get(value), value) for value in parameters]
        if sorted(name for name, _ in self._parameters if name) != sorted(examples):
            raise ValueError("each example must become exactly one parameter of the query")
        fields = compiler.klass_info["select_fields"]
        self._slice = slice(fields[0], fields[-1] + 1)
        self._model: type[M] = compiler.klass_info["model"]
        self._names = [column[0].target.attname for column in compiler.select[self._slice]]
        # The stubs are those of a later Django, with one argument more.
        self._populators = get_related_populators(  # type: ignore[call-arg]
            compiler.klass_info, compiler.select, connection.alias
        )
        self._annotations = dict(compiler.annotation_col_map or {})
        self._converters = compiler.get_converters([column[0] for column in compiler.select])

    def first(self, values: Mapping[str, Any]) -> M | None:
        found = _retried(
            self._sql, [values[name] if name else value for name, value in self._parameters]
        )
        if found is None:
            return None
        row = list(found)
        for position, (converters, expression) in self._converters.items():
            for convert in converters:
                row[position] = convert(row[position], expression, connection)
        return self._as_model(row)

    def _as_model(self, row: list[Any]) -> M:
        made = self._model.from_db(connection.alias, self._names, row[self._slice])
        for populator in self._populators:
            populator.populate(row, made)
        for name, position in self._annotations.items():
            setattr(made, name, row[position])
        return made


def _retried(sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """Once more on a new connection, if the server has closed this one, or if a migration has
    changed a type that the kept plan had settled on. Only for what reads.
    """
    was_open = connection.connection is not None
    try:
        return execute(sql, values)
    except (OperationalError, InterfaceError, NotSupportedError):
        if not was_open or connection.in_atomic_block:
            raise
        connection.close()
        return execute(sql, values)
