"""The view of ``/``, and the 404 view of unknown paths below ``/api/``."""

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


def api_root(request: HttpRequest) -> HttpResponse:
    """Redirects browsers to the documentation; answers programs with its address in JSON."""
    accept = request.headers.get("Accept") or ANYTHING
    response: HttpResponse
    if weight(accept, "text/html") > weight(accept, "application/json"):
        response = redirect("docs")
    else:
        response = JsonResponse(_INDEX, json_dumps_params={"separators": (",", ":")})
    patch_vary_headers(response, ["Accept"])
    return response


class ApiNotFoundView(APIView):
    """404 for every method. The request is authenticated and counted against the key's rate limit,
    so that a key cannot search for paths without limit.
    """

    schema = None
    content_negotiation_class = OnlyOneForm
    permission_classes = [AllowAny]

    @property
    def default_response_headers(self) -> dict[str, str]:
        """No method is allowed: the path does not exist."""
        return {}

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotFound
