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
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Self, TypeVar

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
from django.db.models import JSONField, Model, QuerySet
from django.db.models.expressions import Col
from django.db.models.query import get_related_populators
from pydantic_core import from_json

M = TypeVar("M", bound=Model)
C = TypeVar("C")

_MARK = re.compile("%(%|s)")


def keep_plans(connection: BaseDatabaseWrapper, **signal: Any) -> None:
    """For the signal ``connection_created``, where requests are served. Nowhere else: once psycopg
    has prepared anything it deallocates all that there is with every rollback, and claimers keep
    plans of their own (jobs/engine/claim.py).
    """
    connection.connection.prepare_threshold = 0


class _PlanningCursor(psycopg.RawCursor[Any]):
    """Postgres plans each statement by the values and by what it knows of the tables now."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        return super().execute(query, params, prepare=False, **options)


def execute(sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row of a statement; ``sql`` numbers its values, $1 and so on. Errors are Django's
    own.
    """
    rows = _rows(psycopg.RawCursor, sql, values)
    return rows[0] if rows else None


def _rows(
    cursor_class: type[psycopg.RawCursor[Any]], sql: str, values: Sequence[Any]
) -> list[tuple[Any, ...]]:
    # What ``connection`` stands for in this thread, looked up once.
    current = connections[DEFAULT_DB_ALIAS]
    current.ensure_connection()
    cursor = cursor_class(current.connection)
    # Django's own wrapper, for its errors and for whoever listens to queries.
    with current._prepare_cursor(cursor) as wrapped:  # type: ignore[attr-defined]
        wrapped.execute(sql, values)
        rows: list[tuple[Any, ...]] = wrapped.fetchall()
    return rows


def numbered(sql: str) -> str:
    """Django's placeholders as Postgres' own."""
    numbers = itertools.count(1)
    return _MARK.sub(lambda mark: "%" if mark[1] == "%" else f"${next(numbers)}", sql)


class Prepared(Generic[M]):
    """A queryset that gives one row or none.

    ``build`` gets one example per parameter; each must be a value that nothing else in the query
    has. Annotations become attributes of the row, ``select_related`` works as it does elsewhere.
    Postgres keeps the plan.
    """

    def __init__(self, build: Callable[..., QuerySet[M]], **examples: str | int) -> None:
        self._compiled = _Once(lambda: _CompiledModel(build(**examples), examples))

    def first(self, **values: Any) -> M | None:
        """The row for these values, one for each example."""
        compiled = self._compiled.get()
        rows = compiled.rows(psycopg.RawCursor, values)
        return compiled.as_model(rows[0]) if rows else None


class PreparedRows:
    """A queryset's columns ``names`` as named tuples, of any number of rows.

    Postgres plans anew each time: what is right for a table with few rows, or for one value, may
    read everything for another.
    """

    def __init__(
        self, build: Callable[..., QuerySet[Any]], names: Sequence[str], **examples: str | int
    ) -> None:
        self._compiled = _Once(lambda: _Compiled(build(**examples).values_list(*names), examples))
        self._row: Any = namedtuple("Row", names)  # type: ignore[misc]

    def all(self, **values: Any) -> list[Any]:
        """The rows for these values, one for each example."""
        return [self._row._make(row) for row in self._compiled.get().rows(_PlanningCursor, values)]


@dataclass(frozen=True, slots=True)
class AllOf(Generic[M]):
    """All rows of one owner, of a table that nothing is deleted from. ``build`` is a function of a
    module, so that a paginator can compose the SQL of a page once for all owners.
    """

    build: Callable[[Any], QuerySet[M]]
    owner: Any

    def all(self) -> QuerySet[M]:
        return self.build(self.owner)


class _Once(Generic[C]):
    """What is made at its first use, for all threads."""

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._made: C | None = None
        self._lock = threading.Lock()

    def get(self) -> C:
        if self._made is None:
            with self._lock:
                self._made = self._made or self._make()
        return self._made


class _Compiled:
    """The SQL of a queryset, and how the values of its rows are converted."""

    def __init__(self, queryset: QuerySet[Any], examples: Mapping[str, Any]) -> None:
        self.compiler = queryset.query.get_compiler(connection=connection)
        sql, parameters = self.compiler.as_sql()
        names = {value: name for name, value in examples.items()}
        self._sql = numbered(sql)
        self._parameters = [(names.get(value), value) for value in parameters]
        if {name for name, _ in self._parameters if name} != set(examples):
            raise ValueError("each example must become a parameter of the query")
        columns = [column[0] for column in self.compiler.select]
        self._converters = [
            (position, _json if _is_json(expression) else partial(_convert, converters, expression))
            for position, (converters, expression) in self.compiler.get_converters(columns).items()
        ]

    def rows(
        self, cursor: type[psycopg.RawCursor[Any]], values: Mapping[str, Any]
    ) -> list[list[Any]]:
        given = [values[name] if name else value for name, value in self._parameters]
        rows = [list(row) for row in _retried(cursor, self._sql, given)]
        for position, convert in self._converters:
            for row in rows:
                row[position] = convert(row[position])
        return rows


def _convert(converters: Sequence[Callable[..., Any]], expression: Any, value: Any) -> Any:
    for convert in converters:
        value = convert(value, expression, connection)
    return value


def _is_json(expression: Any) -> bool:
    field = expression.output_field
    return isinstance(expression, Col) and isinstance(field, JSONField) and field.decoder is None


def _json(text: str | None) -> Any:
    """As JSONField does it, at a tenth of the time: a list has a hundred of these."""
    return None if text is None else from_json(text)


class _CompiledModel(_Compiled, Generic[M]):
    """What Django's ModelIterable works out for each queryset, kept."""

    def __init__(self, queryset: QuerySet[M], examples: Mapping[str, Any]) -> None:
        super().__init__(queryset, examples)
        compiler = self.compiler
        fields = compiler.klass_info["select_fields"]
        self._slice = slice(fields[0], fields[-1] + 1)
        self._model: type[M] = compiler.klass_info["model"]
        self._names = [column[0].target.attname for column in compiler.select[self._slice]]
        # The stubs are those of a later Django, with one argument more.
        self._populators = get_related_populators(  # type: ignore[call-arg]
            compiler.klass_info, compiler.select, connection.alias
        )
        self._annotations = dict(compiler.annotation_col_map or {})

    def as_model(self, row: list[Any]) -> M:
        made = self._model.from_db(connection.alias, self._names, row[self._slice])
        for populator in self._populators:
            populator.populate(row, made)
        for name, position in self._annotations.items():
            setattr(made, name, row[position])
        return made


def _retried(
    cursor: type[psycopg.RawCursor[Any]], sql: str, values: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """Once more on a new connection, if the server has closed this one, or if a migration has
    changed a type that the kept plan was made for. Only for what reads.
    """
    kept = connection.connection
    try:
        return _rows(cursor, sql, values)
    except (OperationalError, InterfaceError, NotSupportedError) as error:
        # A statement that only took too long, or waited for a lock, is not sent twice.
        is_slow = isinstance(error, OperationalError) and kept is not None and not kept.closed
        if kept is None or is_slow or connection.in_atomic_block:
            raise
        connection.close()
        return _rows(cursor, sql, values)
