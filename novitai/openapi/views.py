"""The schema and the pages of the API's documentation, which refuse in JSON like all else.

No key is asked for here, so nothing may cost more than sending it: what takes time to make is made
once in a process.
"""

import gzip
import hashlib
import json
import threading
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import cache_control
from django.views.decorators.http import etag

from novitai.errors.messages import not_allowed
from novitai.errors.responses import error_response
from novitai.openapi import pages
from novitai.rest.negotiation import ANYTHING, accepts_coding, weight

READING = ("GET", "HEAD")
# The media types of the schema, the one for browsers and most tools first. There is no YAML.
SCHEMA_TYPES = ("application/json", "application/vnd.oai.openapi+json")
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


@cache
def schema_version(*, is_packed: bool) -> str:
    """The ETag of the schema, in one coding."""
    return f'"{hashlib.sha256(_schema_bytes(is_packed=is_packed)).hexdigest()[:32]}"'


@cache_control(public=True, max_age=60)
@etag(lambda request: schema_version(is_packed=accepts_coding(request, "gzip")))
def schema_view(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document as JSON; 406 for whoever takes none, YAML among it."""
    accept = request.headers.get("Accept") or ANYTHING
    media_type = max(SCHEMA_TYPES, key=lambda each: weight(accept, each))
    if not weight(accept, media_type):
        message = f"This address answers {' or '.join(SCHEMA_TYPES)} only."
        return error_response(request, "NOT_ACCEPTABLE", message)
    is_packed = accepts_coding(request, "gzip")
    response = HttpResponse(_schema_bytes(is_packed=is_packed), content_type=media_type)
    if is_packed:
        response["Content-Encoding"] = "gzip"
    patch_vary_headers(response, ["Accept", "Accept-Encoding"])
    return response


_schema_lock = threading.Lock()


def _schema_bytes(*, is_packed: bool) -> bytes:
    """Made by the first request; others that come meanwhile wait for it."""
    with _schema_lock:
        return _made_schema()[is_packed]


@cache
def _made_schema() -> tuple[bytes, bytes]:
    plain = json.dumps(pages.schema(), ensure_ascii=False, separators=(",", ":")).encode()
    return plain, gzip.compress(plain, mtime=0)
