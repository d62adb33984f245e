"""Inserts several new rows of different models in one statement: one round trip, one commit.

Django would use one statement for each row, compose its SQL each time, and need two more round
trips for a transaction. Here the rows are parts of one ``WITH``, composed once for each combination
of models; also without a transaction all rows are inserted or none.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from django.db import connection, models
from django.db.models import Field, Model
from django.db.models.expressions import DatabaseDefault

from core.prepared import execute

AnyField: TypeAlias = "Field[Any, Any]"


@dataclass(frozen=True, slots=True)
class _KeyOf:
    """The primary key of an earlier row of the same statement, which the database will assign."""

    position: int
    column: str


class _Default:
    """The column gets its database default."""


_DEFAULT = _Default()
# Types that columns of these kinds accept unchanged. Other values are converted by the field, which
# takes twenty times as long.
_PLAIN: dict[type[AnyField], type] = {
    models.CharField: str,
    models.TextField: str,
    models.BooleanField: bool,
    models.ForeignKey: int,
    models.SmallIntegerField: int,
    models.PositiveSmallIntegerField: int,
    models.PositiveIntegerField: int,
    models.PositiveBigIntegerField: int,
}
# A model, and for each of its columns the source of the value; None: given by the caller.
_Shape = tuple[type[Model], tuple[_KeyOf | _Default | None, ...]]


def insert(*rows: Model, wake: str = "") -> None:
    """Insert rows that have no primary key yet, like ``save(force_insert=True)`` of each; sends no
    signals.

    A row may refer to rows before it. Afterwards all have their keys, and the defaults that the
    database chose. ``wake``: a channel of LISTEN to notify at the commit.
    """
    values = [_values(row, rows) for row in rows]
    statement = _statement_for(tuple(map(_shape, rows, values)), is_waking=bool(wake))
    given = [each for part in values for each in part if not isinstance(each, _KeyOf | _Default)]
    found = execute(statement.sql, [*given, wake] if wake else given)
    assert found is not None  # noqa: S101 - one row of keys, always
    rest = iter(found)
    for row, fields in zip(rows, statement.returned, strict=True):
        _complete(row, fields, rest)


@cache
def _columns(model: type[Model]) -> list[tuple[AnyField, set[type]]]:
    """A column, with the types that it accepts unchanged."""
    fields = [field for field in model._meta.local_concrete_fields if not field.primary_key]
    return [(field, _plain_types(field)) for field in fields]


def _plain_types(field: AnyField) -> set[type]:
    kind = _PLAIN.get(type(field))
    types = set() if kind is None else {kind}
    # A relation may point to a row without a key yet; a date field may fill in its value.
    fills_in = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    return types if field.is_relation or fills_in else types | {type(None)}


def _values(row: Model, rows: Sequence[Model]) -> list[Any]:
    given = vars(row)
    return [
        given[field.attname] if type(given[field.attname]) in plain else _value(row, field, rows)
        for field, plain in _columns(type(row))
    ]


def _value(row: Model, field: AnyField, rows: Sequence[Model]) -> Any:
    if field.is_relation and getattr(row, field.attname) is None:
        other = getattr(row, field.name)
        position = next((at for at, each in enumerate(rows) if each is other), None)
        if position is not None:
            return _KeyOf(position, _name(other._meta.pk))
        return None if other is None else other.pk
    value = field.pre_save(row, True)
    if isinstance(value, DatabaseDefault):
        return _DEFAULT
    if type(field) is models.JSONField and value is not None:
        return json.dumps(value, cls=field.encoder)
    return field.get_db_prep_save(value, connection)


def _shape(row: Model, values: Sequence[Any]) -> _Shape:
    kinds = tuple(each if isinstance(each, _KeyOf | _Default) else None for each in values)
    return type(row), kinds


def _complete(row: Model, fields: Sequence[AnyField], values: Iterator[Any]) -> None:
    for field in fields:
        value = next(values)
        if hasattr(field, "from_db_value"):
            value = field.from_db_value(value, None, connection)
        setattr(row, field.attname, value)
    for field in row._meta.local_concrete_fields:
        # Relations to a new row get its key now.
        if field.is_relation and getattr(row, field.attname) is None:
            setattr(row, field.name, getattr(row, field.name))
    row._state.adding = False
    row._state.db = connection.alias


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    # For each row: the columns that the database returns.
    returned: list[list[AnyField]]


_statements: dict[tuple[tuple[_Shape, ...], bool], _Statement] = {}


def _statement_for(shapes: tuple[_Shape, ...], *, is_waking: bool) -> _Statement:
    """Cached: only a few combinations of models and omitted columns occur."""
    key = shapes, is_waking
    if key not in _statements:
        _statements[key] = _compose(shapes, is_waking=is_waking)
    return _statements[key]


def _compose(shapes: Sequence[_Shape], *, is_waking: bool) -> _Statement:
    returned = [
        [
            model._meta.pk,
            *(f for (f, _), kind in zip(_columns(model), kinds, strict=True) if kind is _DEFAULT),
        ]
        for model, kinds in shapes
    ]
    numbers = _numbers()
    parts = [
        f"row{at} AS ({_insert(shape, fields, numbers)})"
        for at, (shape, fields) in enumerate(zip(shapes, returned, strict=True))
    ]
    wanted = [f"row{at}.{_name(field)}" for at, fields in enumerate(returned) for field in fields]
    if is_waking:
        wanted.append(f"pg_notify({next(numbers)}, '')")
    tables = ", ".join(f"row{at}" for at in range(len(shapes)))
    sql = f"WITH {', '.join(parts)} SELECT {', '.join(wanted)} FROM {tables}"  # noqa: S608
    return _Statement(sql, returned)


def _insert(shape: _Shape, returned: Sequence[AnyField], numbers: Iterator[str]) -> str:
    model, kinds = shape
    names = ", ".join(_name(field) for field, _ in _columns(model))
    values = ", ".join(_source(kind, numbers) for kind in kinds)
    back = ", ".join(_name(field) for field in returned)
    table = connection.ops.quote_name(model._meta.db_table)
    return f"INSERT INTO {table} ({names}) VALUES ({values}) RETURNING {back}"  # noqa: S608


def _source(kind: _KeyOf | _Default | None, numbers: Iterator[str]) -> str:
    if isinstance(kind, _KeyOf):
        return f"(SELECT {kind.column} FROM row{kind.position})"  # noqa: S608
    return "DEFAULT" if kind is _DEFAULT else next(numbers)


def _name(field: AnyField) -> str:
    return connection.ops.quote_name(str(field.column))


def _numbers() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"${number}"
