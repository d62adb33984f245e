"""Django's middlewares for browsers, skipped for requests to the API.

The API has no sessions, cookies, forms, messages or static files, and each middleware costs time
for every request. They are subclasses, so that Django's system checks still find what the admin
needs.
"""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

_API = "/api/"


class _PagesOnly:
    """Skips the middleware for requests to the API."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(_API):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]


class PageStaticFiles(_PagesOnly, WhiteNoiseMiddleware):  # type: ignore[misc]
    """Static files."""


class PageSession(_PagesOnly, SessionMiddleware):
    """Sessions of the admin."""


class PageCsrf(_PagesOnly, CsrfViewMiddleware):
    """CSRF protection of forms. REST framework's views are exempt: they use no cookies."""


class PageUser(_PagesOnly, AuthenticationMiddleware):
    """The signed-in operator as ``request.user``."""


class PageMessages(_PagesOnly, MessageMiddleware):
    """Messages about the last action."""
