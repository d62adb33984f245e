"""Admin page that replays the messages of all endpoints of one host, after its outage."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from webhooks.admin.buttons import ButtonsAdmin, actor_of, may_change
from webhooks.errors import WebhookError
from webhooks.models import Endpoint
from webhooks.services import replays
from webhooks.services.replays import Range

# Most endpoints of one host in one action.
MOST_ENDPOINTS = 500


class ReplayForm(forms.Form):
    """Which messages are sent again."""

    since = forms.DateTimeField(label="Since (UTC)", help_text="e.g. 2026-01-31 12:00")
    only_failed = forms.BooleanField(
        label="Only messages that failed, were skipped or cancelled", initial=True, required=False
    )


class HostForm(ReplayForm):
    """And to which receiver."""

    receiver = forms.CharField(
        max_length=300, label="Receiver", help_text="scheme and host, e.g. https://hooks.example"
    )
    field_order = ("receiver", "since", "only_failed")


class ReplayByHost(ButtonsAdmin):
    """Base of the page of endpoints: adds *Replay by host…* to its list."""

    change_list_template = "admin/webhooks/endpoint/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.replay_by_host)
        name = "webhooks_endpoint_replay_by_host"
        return [path("replay-by-host/", view, name=name), *super().get_urls()]

    def replay_by_host(self, request: HttpRequest) -> HttpResponse:
        if not may_change(request):
            raise PermissionDenied
        form = HostForm(request.POST if request.method == "POST" else None)
        told = ""
        if form.is_bound and form.is_valid():
            told = _replay(form.cleaned_data, actor_of(request))
        context = {
            **self.admin_site.each_context(request),
            "title": "Replay by host",
            "form": form,
            "told": told,
            "back": reverse("admin:webhooks_endpoint_changelist"),
        }
        return TemplateResponse(request, "admin/webhooks/endpoint/replay_by_host.html", context)


def _replay(given: dict[str, Any], actor: str) -> str:
    """What was done, in words."""
    rows = Endpoint.objects.existing().select_related("project")
    chosen = list(rows.filter(origin=given["receiver"].rstrip("/"))[: MOST_ENDPOINTS + 1])
    wanted = Range(given["since"], only_failed=given["only_failed"])
    refused: list[str] = []
    for endpoint in chosen[:MOST_ENDPOINTS]:
        try:
            replays.start(endpoint, wanted, actor=actor)
        except WebhookError as error:
            refused.append(str(error))
    begun = min(len(chosen), MOST_ENDPOINTS) - len(refused)
    more = " There are more endpoints: repeat it later." if len(chosen) > MOST_ENDPOINTS else ""
    told = f"{begun} replays have begun.{more}"
    return f"{told} {len(refused)} were refused: {' '.join(refused[:3])}" if refused else told
