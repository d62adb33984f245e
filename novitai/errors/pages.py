"""Refusals and errors for people: pages in the admin, where programs get JSON."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.request_ids import request_id_of
from novitai.errors.codes import CODES

ADMIN = "/admin/"
_TITLES = {
    "BAD_REQUEST": "This request cannot be understood",
    "FORBIDDEN": "You may not do this",
    "NOT_FOUND": "There is no such page",
    "SERVICE_UNAVAILABLE": "The service cannot answer at the moment",
    "INTERNAL_SERVER_ERROR": "Something went wrong",
}


def is_for_people(request: HttpRequest) -> bool:
    """Whether it came to the admin, whose visitors are people with a browser."""
    return request.path.startswith(ADMIN)


def error_page(request: HttpRequest, code: str, message: str = "") -> HttpResponse:
    """A page that needs no database and no session: either may be what failed."""
    context = {
        "title": _TITLES.get(code, code),
        "message": message or CODES[code].message,
        "request_id": request_id_of(request),
        "home": ADMIN,
    }
    return render(None, "admin/error.html", context, status=CODES[code].status)
