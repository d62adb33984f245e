"""Where somebody arrives who knows the host alone, and where somebody ends who is lost."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from novitai import VERSION
from novitai.rest.negotiation import ANYTHING, OnlyOneForm, weight

_INDEX = {
    "name": "novitai",
    "version": VERSION,
    "docs": "/api/docs",
    "redoc": "/api/redoc",
    "schema": "/api/schema",
    "health": "/health",
}


def entrance(request: HttpRequest) -> HttpResponse:
    """The documentation for browsers, its address for programs."""
    accept = request.headers.get("Accept") or ANYTHING
    response: HttpResponse
    if weight(accept, "text/html") > weight(accept, "application/json"):
        response = redirect("docs")
    else:
        response = JsonResponse(_INDEX, json_dumps_params={"separators": (",", ":")})
    patch_vary_headers(response, ["Accept"])
    return response


class ApiNotFoundView(APIView):
    """404 for whatever method. The key counts all the same: who is lost is told what is left of its
    rate, and cannot search for addresses without end.
    """

    schema = None
    content_negotiation_class = OnlyOneForm
    permission_classes = [AllowAny]

    @property
    def default_response_headers(self) -> dict[str, str]:
        """No method is allowed at an address that is none."""
        return {}

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotFound
