"""Pages by key, not by offset: page 1,000 costs what page 1 costs, and no row is shown twice."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db.models import BigIntegerField, F, QuerySet, Subquery
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from core import cursors
from core.answers import Page
from core.clock import exact_iso
from core.prepared import AllOf, PreparedRows
from core.query_parameters import misplaced

if TYPE_CHECKING:
    # REST framework's views import this module through its settings.
    from rest_framework.views import APIView

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
# Counting further would read the whole index on every page.
COUNT_CAP = 10_000
# Stands for any owner where a statement is composed; no row has this key.
_AN_OWNER = -(2**40)
_LIMIT = re.compile(r"[1-9][0-9]{0,2}")


class KeysetPagination(BasePagination):
    """Fills the view's ``page``, which ``core.answers.page_of`` made, and a Link header.

    The view says how rows are ordered: ``page_order``, a unique column ("-"
    for newest first), or ``page_sorts``, from what ``sort`` may say to such a column, the first
    being the default; a column of these need not be unique, the primary key decides ties.
    ``page_columns`` are those it shows: rows come as named tuples of them, else as models.
    ``query_parameters`` are those it knows beside its page's, ``repeatable`` those that may stand
    more than once.
    """

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any]:
        self.page_class: type[Page] = getattr(view, "page")  # noqa: B009 - not every view pages
        self._request = request
        asked = _PageRequest(request, view)
        if isinstance(queryset, AllOf) and asked.after is None:
            page, self.total = _first_page(queryset, asked)
        else:
            rows = queryset.all() if isinstance(queryset, AllOf) else queryset
            page, self.total = _composed(rows, asked)
        self.next_cursor = None
        if len(page) > asked.limit:
            key = _key(page[asked.limit - 1], asked.order)
            self.next_cursor = cursors.encode(key, asked.list_name)
        return page[: asked.limit]

    def get_paginated_response(self, data: Any) -> Response:
        page = self.page_class.of(
            data,
            total=min(self.total, COUNT_CAP),
            is_capped=self.total > COUNT_CAP,
            next_cursor=self.next_cursor,
        )
        link = {"Link": f'<{self._next_address()}>; rel="next"'} if self.next_cursor else None
        return Response(page.as_json(), headers=link)

    def _next_address(self) -> str:
        """Relative, since behind a proxy only the client knows how it came here (RFC 8288)."""
        parameters = {**dict(self._request.query_params.lists()), "cursor": [self.next_cursor]}
        return f"{self._request.path}?{urlencode(parameters, doseq=True)}"


class _PageRequest:
    """limit, sort and cursor as asked for; every parameter that is wrong or unknown is told."""

    def __init__(self, request: Request, view: "APIView | None") -> None:
        given = request.query_params
        sorts: Mapping[str, str] = getattr(view, "page_sorts", {})
        errors = _misplaced_in(request, view, has_sorts=bool(sorts))
        limit = given.get("limit", str(DEFAULT_LIMIT))
        if not _LIMIT.fullmatch(limit) or int(limit) > MAX_LIMIT:
            errors["limit"] = [f"limit must be an integer between 1 and {MAX_LIMIT}"]
        if "sort" in given and sorts and given["sort"] not in sorts:
            errors["sort"] = [f"sort must be one of: {', '.join(sorts)}"]
        self.list_name = cursors.name_of_list(request, getattr(request.user, "project", ""))
        self.after: list[Any] | None = None
        if "cursor" in given and not errors:
            try:
                self.after = cursors.decode(given["cursor"], self.list_name)
            except cursors.CursorError as error:
                errors["cursor"] = [str(error)]
        if errors:
            raise ValidationError(errors)
        self.limit = int(limit)
        self.order = _order(given.get("sort"), sorts, getattr(view, "page_order", "-id"))
        shown: Sequence[str] = getattr(view, "page_columns", ())
        self.columns = tuple({**dict.fromkeys(shown), **_names(self.order)}) if shown else ()


def _composed(rows: QuerySet[Any], asked: _PageRequest) -> tuple[list[Any], int]:
    """One row more than the page has, if there is one, and how many there are in all."""
    found = _page(rows, asked.order, asked.limit + 1, asked.after)
    page = list(found.values_list(*asked.columns, named=True) if asked.columns else found)
    is_all = asked.after is None and len(page) <= asked.limit
    return page, len(page) if is_all else rows.order_by()[: COUNT_CAP + 1].count()


def _first_page(rows: AllOf[Any], asked: _PageRequest) -> tuple[list[Any], int]:
    """The same for a page without filters and cursor, in one statement. Who has more than is
    counted keeps them, so that is counted once in a process.
    """
    cap = 0 if rows in _beyond_cap else COUNT_CAP
    page = _statement(rows.build, asked.order, asked.columns, asked.limit + 1, cap).all(
        owner=rows.owner
    )
    total = page[0].total if page else 0
    if cap and total > cap:
        _beyond_cap.add(rows)
    return page, total if cap else COUNT_CAP + 1


# Lists that have more rows than are counted.
_beyond_cap: set[AllOf[Any]] = set()


@lru_cache(maxsize=512)
def _statement(
    build: Callable[[Any], QuerySet[Any]],
    order: tuple[str, ...],
    columns: tuple[str, ...],
    count: int,
    cap: int,
) -> PreparedRows:
    def first_page(owner: int) -> QuerySet[Any]:
        rows = build(owner)
        total = _Count(rows.order_by().values("pk")[: cap + 1])
        # No row is passed over here: the first ones are read where the index names them.
        page: QuerySet[Any] = rows.annotate(total=total).order_by(*order)[:count]
        return page

    return PreparedRows(first_page, (*columns, "total"), owner=_AN_OWNER)


class _Count(Subquery):
    """How many rows a query gives."""

    template = "(SELECT count(*) FROM (%(subquery)s) counted)"
    output_field = BigIntegerField()


def _misplaced_in(request: Request, view: "APIView | None", *, has_sorts: bool) -> dict[str, Any]:
    known = {"limit", "cursor", *getattr(view, "query_parameters", ())}
    known |= {"sort"} if has_sorts else set()
    return misplaced(request.query_params, known, getattr(view, "repeatable", ()))


def _order(sort: str | None, sorts: Mapping[str, str], order: str) -> tuple[str, ...]:
    """The columns to order by; in one direction, so that one index serves both."""
    if not sorts:
        return (order,)
    column = sorts[sort] if sort else next(iter(sorts.values()))
    return column, "-pk" if column.startswith("-") else "pk"


def _names(order: Sequence[str]) -> dict[str, None]:
    return dict.fromkeys(column.removeprefix("-") for column in order)


def _key(row: Any, order: Sequence[str]) -> list[Any]:
    values = [getattr(row, column) for column in _names(order)]
    return [exact_iso(value) if hasattr(value, "isoformat") else value for value in values]


def _page(
    rows: QuerySet[Any],
    order: Sequence[str],
    count: int,
    after: Sequence[Any] | None = None,
) -> QuerySet[Any]:
    rows = rows.order_by(*order)
    if after is not None:
        rows = _after(rows, order, after)
    if len(order) == 1:
        return rows[:count]
    # Chosen by their ids: an index that carries what is filtered by can do that alone, and only
    # what is shown is read as a whole.
    return rows.filter(pk__in=rows.values("pk")[:count])


def _after(rows: QuerySet[Any], order: Sequence[str], key: Sequence[Any]) -> QuerySet[Any]:
    """Compared as a tuple: an OR of columns would read all rows that tie with the key."""
    columns = Tuple(*(F(column.removeprefix("-")) for column in order))
    lookup = TupleLessThan if order[0].startswith("-") else TupleGreaterThan
    return rows.filter(lookup(columns, tuple(key)))
