"""The admin site: who may come to it, and how many may have their password hashed at a time."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse

from accounts.console import logins

V = TypeVar("V", bound=Callable[..., HttpResponse])
_BUSY_SECONDS = 2
# Answers to those who are not signed in come late, so that who sends the next attempt after each
# answer sends few. A person who mistypes waits less than a refused one.
_WRONG_SECONDS = 1.5
_REFUSED_SECONDS = 4.0
_SIGNED_IN = 302


def hashes_a_password(view: V) -> V:
    """Refuse a form at once while all places for hashing are taken: what waited would hold a
    thread that the API needs.
    """

    @functools.wraps(view)
    def bounded(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return view(self, request, *args, **kwargs)
        with logins.place_for_hashing() as is_free:
            if is_free:
                return view(self, request, *args, **kwargs)
        logins.note(request, "busy")
        return refusal(request, 503, "Too many log-ins at this moment", _BUSY_SECONDS)

    return cast(V, bounded)


class Console(AdminSite):
    """Django's admin site with a door of its own."""

    site_header = site_title = "novitai"
    index_title = "Console"

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A form is refused before anything is asked of the database if no place is free."""
        if request.method != "POST":
            return super().login(request, extra_context)
        return self._checked_login(request, extra_context)

    @hashes_a_password
    def _checked_login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Whose user or address is locked gets no further, right password or not."""
        if logins.is_locked(request):
            logins.note(request, "locked")
            return locked(request)
        response = super().login(request, extra_context)
        if getattr(request, "axes_locked_out", False):
            return locked(request)
        if response.status_code != _SIGNED_IN:
            hold_back(request, _WRONG_SECONDS)
        return response

    @hashes_a_password
    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        return super().password_change(request, extra_context)


def locked(request: HttpRequest) -> HttpResponse:
    seconds = int(settings.CONFIG.admin_login_lock)
    return refusal(request, 429, "Too many wrong passwords", seconds)


def refusal(request: HttpRequest, status: int, title: str, seconds: int) -> HttpResponse:
    """A page for people."""
    hold_back(request, _REFUSED_SECONDS)
    context = {"title": title, "seconds": seconds, "minutes": -(-seconds // 60)}
    response = render(None, "admin/login_refused.html", context, status=status)
    response["Retry-After"] = str(seconds)
    return response


def hold_back(request: HttpRequest, seconds: float) -> None:
    """Where the server can: it holds no thread (novitai/server/client_socket.py)."""
    server_socket = request.META.get("gunicorn.socket")
    if hold := getattr(server_socket, "hold_back", None):
        hold(seconds)
