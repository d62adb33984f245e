"""Admin page of a project's webhook secret: show it once, replace it without interruption."""

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from accounts import webhook_secrets
from accounts.models import Project
from accounts.webhook_secrets import LONGEST_OVERLAP, OVERLAP, SecretRefused
from core.admin_base import ReadOnlyAdmin

PERMISSION = "accounts.manage_webhook_secret"
_HOUR = timedelta(hours=1)


class RotationForm(forms.Form):
    """Overlap: how long messages are signed with both secrets, in hours."""

    overlap_hours = forms.FloatField(
        min_value=0,
        max_value=LONGEST_OVERLAP / _HOUR,
        initial=OVERLAP / _HOUR,
        label="Hours during which messages are signed with both secrets",
        help_text="Receivers must get the new secret within this time."
        " Use 0 if the old secret has leaked.",
    )


class WebhookSecretPages(ReadOnlyAdmin):
    """Base of the project admin: adds the page of the webhook secret."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.webhook_secret)
        name = "accounts_project_webhook_secret"
        return [path("<int:pk>/webhook-secret/", view, name=name), *super().get_urls()]

    def may_manage_secret(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.has_perm(PERMISSION))

    def webhook_secret(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Each action is a form of its own; a GET shows no secret."""
        if not self.may_manage_secret(request):
            raise PermissionDenied
        project = get_object_or_404(Project, pk=pk)
        form = RotationForm(request.POST if "rotate" in request.POST else None)
        error = secret = ""
        try:
            secret = self._done(request, project, form)
        except SecretRefused as refused:
            error = str(refused)
        project.refresh_from_db()
        return self._page(request, project, form=form, error=error, secret=secret)

    def _done(self, request: HttpRequest, project: Project, form: RotationForm) -> str:
        """Run the submitted action. Returns the secret to show, or ""."""
        actor = f"operator:{request.user.get_username()}"
        if request.method != "POST":
            return ""
        if "show" in request.POST:
            secret = webhook_secrets.show_once(project, actor=actor)
            self.log_change(request, project, "Webhook secret shown.")
            return secret
        if "end" in request.POST:
            webhook_secrets.end_overlap(project, actor=actor)
            self.log_change(request, project, "Previous webhook secret ended.")
        if "rotate" in request.POST and form.is_valid():
            overlap = form.cleaned_data["overlap_hours"] * _HOUR
            made = webhook_secrets.rotate(project, overlap=overlap, actor=actor)
            self.log_change(request, project, "Webhook secret replaced.")
            return made
        return ""

    def _page(self, request: HttpRequest, project: Project, **shown: Any) -> HttpResponse:
        """Render the page. A Django message would store the secret in a cookie."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"Webhook secret of {project.name}",
            "opts": self.opts,
            "project": project,
            "back": reverse("admin:accounts_project_change", args=[project.pk]),
            **shown,
        }
        return TemplateResponse(request, "admin/accounts/project/webhook_secret.html", context)
