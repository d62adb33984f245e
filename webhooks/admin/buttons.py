"""Buttons of the admin pages: each posts to a view that calls a service."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from core.admin_base import ReadOnlyAdmin
from webhooks.errors import WebhookError

PERMISSION = "webhooks.change_endpoint"
Verb = Callable[[HttpRequest, Model], str]


def may_change(request: HttpRequest) -> bool:
    """Every button of webhooks needs ``webhooks.change_endpoint``."""
    return bool(request.user.is_active and request.user.has_perm(PERMISSION))


def actor_of(request: HttpRequest) -> str:
    return f"operator:{request.user.get_username()}"


class ButtonsAdmin(ReadOnlyAdmin):
    """A read-only page with buttons. ``verbs``: path to a method that acts on the row and returns
    the words to show.
    """

    verbs: tuple[str, ...] = ()

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<int:pk>/{verb}/",
                self.admin_site.admin_view(require_POST(self._view(verb))),
                name=f"webhooks_{self.opts.model_name}_{verb}",
            )
            for verb in self.verbs
        ]
        return [*own, *super().get_urls()]

    def _view(self, verb: str) -> Callable[..., HttpResponseBase]:
        def act(request: HttpRequest, pk: int) -> HttpResponseBase:
            if not may_change(request):
                raise PermissionDenied
            row = get_object_or_404(self.model, pk=pk)
            try:
                messages.success(request, getattr(self, verb)(request, row))
            except WebhookError as error:
                messages.error(request, str(error))
            name = f"admin:webhooks_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(name, args=[pk]))

        return act

    def has_control_permission(self, request: HttpRequest) -> bool:
        return may_change(request)
