"""The pages of the API's documentation, which are HTML but refuse in JSON like all else."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from novitai.errors import error_response
from novitai.plain_words import not_allowed

READING = ("GET", "HEAD")


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
