"""The pages of the API's documentation, which are HTML but refuse in JSON like all else."""

import hashlib
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import cache_control
from django.views.decorators.http import etag

from novitai.errors import error_response
from novitai.plain_words import not_allowed

READING = ("GET", "HEAD")
_REDOC = "drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
# Redoc has no setting for it (Redocly/redoc#2108); an image that is none is not shown.
_LOGO_ELSEWHERE, _NO_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg", b"data:,"


def only_to_read(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """405 in the one error format for whatever does not read."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in READING:
            return view(request, *args, **kwargs)
        message = not_allowed(request.method, READING)
        response = error_response(request, "METHOD_NOT_ALLOWED", message)
        response["Allow"] = ", ".join(READING)
        return response

    return guarded


@cache
def redoc_script() -> bytes:
    """Redoc as it was installed, but that it fetches no logo from its maker's host."""
    return Path(str(finders.find(_REDOC))).read_bytes().replace(_LOGO_ELSEWHERE, _NO_LOGO)


@cache
def _redoc_version() -> str:
    return f'"{hashlib.sha256(redoc_script()).hexdigest()[:32]}"'


@cache_control(public=True, max_age=60)
@etag(lambda request: _redoc_version())
def redoc_script_view(request: HttpRequest) -> HttpResponse:
    """Cached as static files are."""
    return HttpResponse(redoc_script(), content_type="text/javascript; charset=utf-8")
