"""Admin page of an API key, extended by its instances and by a button that terminates them all,
for a key that has leaked.

It is not in the app accounts, which does not know instances.
"""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin.projects_and_keys import ApiKeyAdmin
from accounts.models import ApiKey
from instances import services
from instances.admin.permissions import may_end_all
from instances.domain.types import Cause
from instances.lifecycle import spend_rate
from instances.services import made_by, to_be_ended
from jobs.admin.permissions import actor_of

SHOWN = 20

admin.site.unregister(ApiKey)


@admin.register(ApiKey)
class AnsweringApiKeyAdmin(ApiKeyAdmin):
    """The page of a key, with a link to the instances that it created."""

    change_form_template = "admin/instances/apikey/change_form.html"
    readonly_fields = (*ApiKeyAdmin.readonly_fields, "made")  # type: ignore[assignment]

    @admin.display(description="created instances")
    def made(self, key: ApiKey) -> str | SafeString:
        page = reverse("admin:instances_instance_changelist")
        count, living = made_by(key).count(), to_be_ended(key.project, key).count()
        text = f"{count}, of which {living} have not ended"
        return format_html('<a href="{}?made_by={}">{}</a>', page, f"key:{key.public_id}", text)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.terminate_all)
        name = "accounts_apikey_terminate_all"
        return [path("<int:pk>/terminate-all/", view, name=name), *super().get_urls()]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = {**(extra_context or {}), "can_terminate": may_end_all(request)}
        return super().changeform_view(request, object_id, form_url, context)

    def terminate_all(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Terminate all instances that the key created, after its first characters are typed."""
        if not may_end_all(request):
            raise PermissionDenied
        key = get_object_or_404(ApiKey.objects.select_related("project"), pk=pk)
        page = reverse("admin:accounts_apikey_change", args=[pk])
        if request.method == "POST":
            if request.POST.get("name") == key.start:
                return self._end_all(request, key, page)
            messages.error(
                request,
                "Nothing was terminated: the text is not the first characters of the key.",
            )
        return TemplateResponse(
            request,
            "admin/instances/apikey/terminate_all.html",
            {**self.admin_site.each_context(request), **_doomed(key), "back": page},
        )

    def _end_all(self, request: HttpRequest, key: ApiKey, page: str) -> HttpResponseBase:
        cause = Cause(actor_of(request), reason=f"Terminate all instances created by {key.start}")
        ended = services.terminate_all(project=key.project, cause=cause, key=key)
        self.log_change(request, key, f"Terminated its {len(ended)} instances.")
        messages.success(request, f"{len(ended)} instances of {key} are being terminated.")
        return HttpResponseRedirect(page)


def _doomed(key: ApiKey) -> dict[str, Any]:
    rows = to_be_ended(key.project, key)
    first = rows.select_related("project").order_by("pk")[:SHOWN]
    count = rows.count()
    return {
        "title": f"Terminate all instances that {key} created?",
        "key": key,
        "rows": [(each, spend_rate.of_confirmation([each]).text) for each in first],
        "count": count,
        "more": max(count - SHOWN, 0),
        "total": spend_rate.of_confirmation(rows).text,
    }
