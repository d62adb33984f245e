"""Error pages of the admin in HTML; the API answers errors in JSON."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.request_ids import request_id_of
from novitai.errors.codes import CODES

ADMIN = "/admin/"
_TITLES = {
    "BAD_REQUEST": "The request is malformed",
    "FORBIDDEN": "You are not allowed to do this",
    "NOT_FOUND": "This page does not exist",
    "SERVICE_UNAVAILABLE": "The service cannot answer at the moment",
    "INTERNAL_SERVER_ERROR": "An unexpected error happened",
}


def is_for_people(request: HttpRequest) -> bool:
    """Whether the request is for the admin, so that an error is answered as an HTML page."""
    return request.path.startswith(ADMIN)


def error_page(request: HttpRequest, code: str, message: str = "") -> HttpResponse:
    """Render the page without database and session, since either may be the cause of the error."""
    context = {
        "title": _TITLES.get(code, code),
        "message": message or CODES[code].message,
        "request_id": request_id_of(request),
        "home": ADMIN,
    }
    return render(None, "admin/error.html", context, status=CODES[code].status)
