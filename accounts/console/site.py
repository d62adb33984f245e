"""The admin site: log-ins with a limit of attempts and of concurrent password hashes."""

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
# Seconds by which answers to failed log-ins are delayed, which limits the attempts of a client
# that waits for each answer. A mistyped password is delayed less than a refused attempt.
_WRONG_SECONDS = 1.5
_REFUSED_SECONDS = 4.0
_SIGNED_IN = 302
# Where the web server finds the delay, in seconds.
ANSWER_DELAY = "novitai.answer_delay"


def hashes_a_password(view: V) -> V:
    """Decorate a view that hashes a password: answer a POST with 503 if no hashing slot is free.
    Waiting for a slot would occupy a thread that the API needs.
    """

    @functools.wraps(view)
    def bounded(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return view(self, request, *args, **kwargs)
        with logins.place_for_hashing() as is_free:
            if is_free:
                return view(self, request, *args, **kwargs)
        logins.note(request, "busy")
        return refusal(request, 503, "Too many log-ins at the same time", _BUSY_SECONDS)

    return cast(V, bounded)


class Console(AdminSite):
    """Django's admin site with limited log-ins."""

    site_header = site_title = "novitai"
    index_title = "Console"

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A POST takes a hashing slot before its first database query."""
        if request.method != "POST":
            return super().login(request, extra_context)
        return self._checked_login(request, extra_context)

    @hashes_a_password
    def _checked_login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse a locked user or address, even with the right password."""
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
    """The HTML page of a refused log-in."""
    hold_back(request, _REFUSED_SECONDS)
    context = {"title": title, "seconds": seconds, "minutes": -(-seconds // 60)}
    response = render(None, "admin/login_refused.html", context, status=status)
    response["Retry-After"] = str(seconds)
    return response


def hold_back(request: HttpRequest, seconds: float) -> None:
    """Have the web server send the answer later (novitai/server/entry.py); no thread waits."""
    request.META[ANSWER_DELAY] = seconds
