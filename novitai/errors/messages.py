"""What an error answer says in words, where REST framework would speak: what is allowed instead."""

from collections.abc import Iterable
from typing import Any

from rest_framework import exceptions
from rest_framework.request import Request


def message_of(exc: exceptions.APIException, context: dict[str, Any]) -> str:
    """Nothing where the code's own message says it best."""
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
        return f"Too many requests; come back in {int(wait)} seconds, as Retry-After says."
    return ""


def not_allowed(method: str | None, allowed: Iterable[str]) -> str:
    """OPTIONS is for browsers' preflights, which are answered before any view."""
    methods = ", ".join(name for name in allowed if name != "OPTIONS")
    return f"{(method or '')[:20]} is not allowed here; allowed: {methods or 'nothing'}."


def _is_theirs(exc: exceptions.APIException) -> bool:
    """Whether the words are those that REST framework has for all of its kind."""
    start = str(exc.default_detail).partition("{")[0]
    return type(exc).__module__ == exceptions.__name__ and str(exc.detail).startswith(start)


def _any_of(forms: Iterable[Any]) -> str:
    return " or ".join(dict.fromkeys(str(form.media_type) for form in forms))
