"""Queries that are compiled once: for the few that every request makes.

Django composes the SQL of a queryset anew each time, which takes several times as long as Postgres
needs to answer it (docs/benchmarks-api.md has the profile). Here the queryset is written as usual,
with example values; its SQL is composed at the first use, and from then on only the values change.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.expressions import DatabaseDefault
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=Model)


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
        self._sql = sql
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
        with connection.cursor() as cursor:
            cursor.execute(
                self._sql, [values[name] if name else value for name, value in self._parameters]
            )
            found = cursor.fetchone()
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


def insert(row: Model) -> None:
    """As ``row.save(force_insert=True)`` for a row without a primary key and without signals."""
    meta = row._meta
    fields = [field for field in meta.local_concrete_fields if field is not meta.pk]
    given = [(field, field.pre_save(row, True)) for field in fields]
    is_default = tuple(isinstance(value, DatabaseDefault) for _, value in given)
    values = [
        field.get_db_prep_save(value, connection)
        for field, value in given
        if not isinstance(value, DatabaseDefault)
    ]
    returned = [field for field, is_left in zip(fields, is_default, strict=True) if is_left]
    sql = _insert_sql(type(row), is_default)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found = cursor.fetchone()
    for field, value in zip([meta.pk, *returned], found, strict=True):
        setattr(row, field.attname, _converted(field, value))
    row._state.adding = False
    row._state.db = connection.alias


def _converted(field: Any, value: Any) -> Any:
    if hasattr(field, "from_db_value"):
        return field.from_db_value(value, None, connection)
    return value


_inserts: dict[tuple[type[Model], tuple[bool, ...]], str] = {}


def _insert_sql(model: type[Model], is_default: Sequence[bool]) -> str:
    """For the columns that are left to their defaults; few combinations occur."""
    key = model, tuple(is_default)
    if key not in _inserts:
        quote, meta = connection.ops.quote_name, model._meta
        columns = [str(f.column) for f in meta.local_concrete_fields if f is not meta.pk]
        marks = ["DEFAULT" if is_left else "%s" for is_left in is_default]
        left = [name for name, is_left in zip(columns, is_default, strict=True) if is_left]
        returned = ", ".join(map(quote, [str(meta.pk.column), *left]))
        _inserts[key] = (
            f"INSERT INTO {quote(meta.db_table)} ({', '.join(map(quote, columns))})"  # noqa: S608
            f" VALUES ({', '.join(marks)}) RETURNING {returned}"
        )
    return _inserts[key]
