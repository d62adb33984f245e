"""Messages that replace REST framework's default ones; they name what is allowed instead."""

from collections.abc import Iterable
from typing import Any

from rest_framework import exceptions
from rest_framework.request import Request


def message_of(exc: exceptions.APIException, context: dict[str, Any]) -> str:
    """The message for an exception; "" if the default message of its code is to be used."""
    if isinstance(exc, exceptions.NotAuthenticated):
        return ""
    if isinstance(exc, exceptions.NotAcceptable):
        return f"This address answers {_any_of(exc.available_renderers or ())} only."
    if not _is_theirs(exc):
        return str(exc.detail)
    request: Request = context["request"]
    if isinstance(exc, exceptions.MethodNotAllowed):
        return not_allowed(request.method, context["view"].allowed_methods)
    if isinstance(exc, exceptions.UnsupportedMediaType):
        return f"The body must be {_any_of(request.parsers or ())} in UTF-8."
    if isinstance(exc, exceptions.Throttled) and (wait := getattr(exc, "wait", None)):
        return f"Too many requests; retry after {int(wait)} seconds (see Retry-After)."
    return ""


def not_allowed(method: str | None, allowed: Iterable[str]) -> str:
    """The message of a 405. OPTIONS is not listed: only CORS preflights use it, and they are
    answered before any view.
    """
    methods = ", ".join(name for name in allowed if name != "OPTIONS")
    return f"{(method or '')[:20]} is not allowed here; allowed: {methods or 'nothing'}."


def _is_theirs(exc: exceptions.APIException) -> bool:
    """Whether the message is REST framework's default one for this exception class."""
    start = str(exc.default_detail).partition("{")[0]
    return type(exc).__module__ == exceptions.__name__ and str(exc.detail).startswith(start)


def _any_of(forms: Iterable[Any]) -> str:
    return " or ".join(dict.fromkeys(str(form.media_type) for form in forms))
