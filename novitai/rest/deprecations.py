"""The table of deprecations; it marks the schema and adds headers to answers.

An operation or a field of a JSON body is deprecated in one release and removed two minor releases
and half a year later at the earliest; docs/api/versioning.md is the policy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

POLICY = "/api/docs"


@dataclass(frozen=True, slots=True)
class Deprecation:
    """``path``: as in the schema. Without ``schema`` and ``field`` the whole operation is
    deprecated; with them, that property of that component, and the operation announces it.
    """

    method: str
    path: str
    since: date
    sunset: date
    instead: str
    schema: str = ""
    field: str = ""
    link: str = POLICY

    @property
    def headers(self) -> dict[str, str]:
        """The headers. RFC 9745 requires a structured date, RFC 8594 an HTTP date."""
        gone = datetime.combine(self.sunset, time(), UTC)
        return {
            "Deprecation": f"@{int(datetime.combine(self.since, time(), UTC).timestamp())}",
            "Sunset": format_datetime(gone, usegmt=True),
            "Link": f'<{self.link}>; rel="deprecation"; type="text/html", '
            f'<{self.link}>; rel="sunset"; type="text/html"',
        }


# Nothing yet.
DEPRECATIONS: Sequence[Deprecation] = ()


def mark(document: dict[str, Any], table: Sequence[Deprecation] | None = None) -> None:
    """Add ``deprecated: true`` to the schema. Raises KeyError for an entry that does not exist."""
    for row in DEPRECATIONS if table is None else table:
        operation = document["paths"][row.path][row.method.lower()]
        if row.field:
            fields = document["components"]["schemas"][row.schema]["properties"]
            fields[row.field] = _deprecated(fields[row.field], row)
        else:
            operation |= _deprecated(operation, row)


def _deprecated(thing: dict[str, Any], row: Deprecation) -> dict[str, Any]:
    told = f"Deprecated; gone on {row.sunset.isoformat()}. {row.instead}"
    description = f"{thing.get('description', '')} {told}".strip()
    return {**thing, "deprecated": True, "description": description}


class DeprecationMiddleware:
    """Adds the deprecation headers to every answer of a deprecated operation."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        row = find(request)
        if row is not None:
            link = ", ".join(filter(None, [response.get("Link", ""), row.headers["Link"]]))
            for name, value in {**row.headers, "Link": link}.items():
                response[name] = value
        return response


def find(request: HttpRequest) -> Deprecation | None:
    """The row of the operation that answers this request; the first where several apply."""
    match = request.resolver_match
    if match is None or not DEPRECATIONS:
        return None
    path = "/" + match.route.replace("<str:", "{").replace(">", "}")
    method = "GET" if request.method == "HEAD" else request.method
    return next((r for r in DEPRECATIONS if (r.method, r.path) == (method, path)), None)
