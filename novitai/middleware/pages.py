"""Django's middlewares for people with browsers, which the API goes without.

It has no sessions, cookies, forms, messages or static files, and each of these costs every request.
They are subclasses, so that Django's system checks find what the admin needs.
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
    """Passes what is for the API straight on."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(_API):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]


class PageStaticFiles(_PagesOnly, WhiteNoiseMiddleware):  # type: ignore[misc]
    """Files of the pages."""


class PageSession(_PagesOnly, SessionMiddleware):
    """Who is signed in."""


class PageCsrf(_PagesOnly, CsrfViewMiddleware):
    """Forms only from our own pages. REST framework's views are exempt: they take no cookies."""


class PageUser(_PagesOnly, AuthenticationMiddleware):
    """The operator of the session."""


class PageMessages(_PagesOnly, MessageMiddleware):
    """What the last action came to."""
