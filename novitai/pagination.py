"""Pages by key, not by offset: page 1,000 costs what page 1 costs, and no row is shown twice."""

import re
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

if TYPE_CHECKING:
    # REST framework's views import this module through its settings.
    from rest_framework.views import APIView

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
# Counting further would read the whole index on every page.
COUNT_CAP = 10_000
_LIMIT = re.compile(r"[1-9][0-9]{0,2}")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{1,60}")


class KeysetPagination(BasePagination):
    """``{RESULTS: [...], "total", "totalIsCapped"?, "nextCursor"?}``.

    The view says ``results_name``, ``page_order`` (a unique column, "-" for newest first) and
    ``query_parameters`` that it knows beside ``limit`` and ``cursor``. A cursor is the public id
    of the last row seen: it tells nothing that the page did not.
    """

    def paginate_queryset(
        self, queryset: Any, request: Request, view: "APIView | None" = None
    ) -> list[Any]:
        self.results_name: str = getattr(view, "results_name", "results")
        order: str = getattr(view, "page_order", "-id")
        known = {"limit", "cursor", *getattr(view, "query_parameters", ())}
        limit, cursor = _page_parameters(request, known)
        rows = queryset.order_by(order)
        if cursor is not None:
            rows = _after(rows, cursor, order)
        page = list(rows[: limit + 1])
        is_all = cursor is None and len(page) <= limit
        self.total = len(page) if is_all else queryset.order_by()[: COUNT_CAP + 1].count()
        self.next_cursor = page[limit - 1].public_id if len(page) > limit else None
        return page[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        body: dict[str, Any] = {self.results_name: data, "total": min(self.total, COUNT_CAP)}
        if self.total > COUNT_CAP:
            body["totalIsCapped"] = True
        if self.next_cursor is not None:
            body["nextCursor"] = self.next_cursor
        return Response(body)


def _page_parameters(request: Request, known: set[str]) -> tuple[int, str | None]:
    """Read limit and cursor; every parameter that is wrong or unknown is told at once."""
    given = request.query_params
    errors = {name: ["Unknown query parameter"] for name in given if name not in known}
    errors |= {name: ["May be given once"] for name in known if len(given.getlist(name)) > 1}
    limit = given.get("limit", str(DEFAULT_LIMIT))
    if not _LIMIT.fullmatch(limit) or int(limit) > MAX_LIMIT:
        errors["limit"] = [f"limit must be an integer between 1 and {MAX_LIMIT}"]
    cursor = given.get("cursor")
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        errors["cursor"] = [_BAD_CURSOR]
    if errors:
        raise ValidationError(errors)
    return int(limit), cursor


_BAD_CURSOR = "cursor must be the nextCursor of an earlier page"


def _after(rows: QuerySet[Any], cursor: str, order: str) -> QuerySet[Any]:
    """The rows behind the cursor's row, which must be one that the caller may see."""
    column = order.removeprefix("-")
    key = rows.filter(public_id=cursor).values_list(column, flat=True).first()
    if key is None:
        raise ValidationError({"cursor": [_BAD_CURSOR]})
    direction = "lt" if order.startswith("-") else "gt"
    return rows.filter(**{f"{column}__{direction}": key})
