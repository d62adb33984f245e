"""Admin page of a project, extended by its limits and by a button that terminates all of its
instances.

It is not in the app accounts, which does not know instances.
"""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.validators import MinValueValidator
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin.projects_and_keys import ProjectAdmin
from accounts.models import Project
from accounts.services import (
    default_instance_limit,
    default_private_templates,
    set_private_templates,
)
from instances import services
from instances.admin.controls import cause_of
from instances.admin.permissions import may_end_all
from instances.domain.money import E5, usd_text
from instances.lifecycle import spend_rate
from instances.models import Instance
from instances.services import set_project_limits, to_be_ended
from jobs.admin.permissions import actor_of

SHOWN = 20
COUNTS = ("live_instance_limit", "default_runtime_minutes", "longest_runtime_minutes")
PRICES = {"default_price_usd": "default_price_e5_usd", "highest_price_usd": "highest_price_e5_usd"}
# A default and the highest value that a request may name.
PAIRS = (
    ("default_runtime_minutes", "longest_runtime_minutes"),
    ("default_price_usd", "highest_price_usd"),
)


def _usd_field(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=Decimal("0.00001"),
        max_digits=10,
        decimal_places=5,
        help_text="USD an hour for all GPUs of an instance together; empty: no cap.",
    )


class TemplateIdsField(forms.CharField):
    """Template ids, one a line; ``*`` stands for all private templates of the account."""

    widget = forms.Textarea(attrs={"rows": 4})
    ALL = "*"

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else self.ALL if value is None else value

    def clean(self, value: Any) -> list[str] | None:
        ids = (super().clean(value) or "").split()
        return None if ids == [self.ALL] else sorted(set(ids))


class ProjectForm(forms.ModelForm):  # type: ignore[type-arg]
    """The limits of a project in minutes and USD."""

    private_templates = TemplateIdsField(
        required=False,
        help_text="Novita ids of the private templates that the project may see and use, one a"
        " line; *: all; empty: none. Every project may use the templates of the channels official"
        " and community.",
    )

    default_price_usd = _usd_field("Default price cap")
    highest_price_usd = _usd_field("Highest price cap")

    class Meta:
        model = Project
        fields = ("name", *COUNTS, "private_templates")
        labels = {
            "live_instance_limit": "Limit of live instances",
            "default_runtime_minutes": "Default runtime",
            "longest_runtime_minutes": "Longest runtime",
        }
        help_texts = {
            "live_instance_limit": "Empty: no limit; 0: no instance can be created.",
            "default_runtime_minutes": "Minutes; used for requests without maxRuntimeMinutes.",
            "longest_runtime_minutes": "Minutes; without a default runtime also used for requests"
            " without maxRuntimeMinutes.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.initial["live_instance_limit"] = default_instance_limit()
            self.initial["private_templates"] = default_private_templates("")
        for name, column in PRICES.items():
            amount = getattr(self.instance, column)
            self.initial[name] = None if amount is None else Decimal(usd_text(amount))
        for name in COUNTS[1:]:
            if name in self.fields:
                self.fields[name].validators.append(MinValueValidator(1))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        for default, most in PAIRS:
            if (values.get(default) or 0) > (values.get(most) or Decimal("Infinity")):
                self.add_error(default, "The default is above the highest allowed value.")
        return values

    def limits(self) -> dict[str, int | None]:
        """The limits by column of the project; prices in 1/100,000 USD."""
        prices = {column: self.cleaned_data[name] for name, column in PRICES.items()}
        return {
            **{name: self.cleaned_data[name] for name in COUNTS},
            **{
                column: None if amount is None else int(amount * E5)
                for column, amount in prices.items()
            },
        }


admin.site.unregister(Project)


@admin.register(Project)
class LimitedProjectAdmin(ProjectAdmin):
    """A project and its limits. It cannot be renamed; new limits do not change instances."""

    form = ProjectForm
    list_display = ("name", "public_id", "living", "created_at")
    change_form_template = "admin/instances/project/change_form.html"

    class Media:
        css = {"all": ["jobs/console.css"]}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return (
            (None, {"fields": ("name", "public_id", "created_at")}),
            ("Limits of its requests", {"fields": (*COUNTS, *PRICES)}),
            ("Private templates", {"fields": ("private_templates",)}),
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.change_project")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        name = () if obj is None else ("name",)
        prices = () if self.has_change_permission(request) else tuple(f"{n}" for n in PRICES)
        return (*name, *self.readonly_fields, *prices)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        rows: QuerySet[Project] = super().get_queryset(request)
        # Counted as the limit does: a failed instance whose GPU was kept is included.
        mine = Instance.objects.living().filter(project=OuterRef("pk")).order_by()
        count = mine.values("project").annotate(count=Count("pk")).values("count")
        return rows.annotate(living_count=Subquery(count))

    @admin.display(description="live instances")
    def living(self, project: Any) -> str | SafeString:
        """``43 of 5 (exceeded)`` occurs if the limit was set or lowered after the instances."""
        count, limit = project.living_count or 0, project.live_instance_limit
        if limit is None:
            return f"{count}, no limit"
        text = f"{count} of {limit}"
        return format_html("<strong>{} (exceeded)</strong>", text) if count > limit else text

    @admin.display(description="default price cap")
    def default_price_usd(self, project: Project) -> str:
        return _usd(project.default_price_e5_usd)

    @admin.display(description="highest price cap")
    def highest_price_usd(self, project: Project) -> str:
        return _usd(project.highest_price_e5_usd)

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
        set_project_limits(obj, actor=actor_of(request), **form.limits())
        chosen = form.cleaned_data["private_templates"]
        set_private_templates(obj, chosen, actor=actor_of(request))

    # Terminate all

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.terminate_all)
        return [
            path("<int:pk>/terminate-all/", view, name="accounts_project_terminate_all"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = {
            **(extra_context or {}),
            "can_terminate": may_end_all(request),
            "can_manage_secret": self.may_manage_secret(request),
        }
        return super().changeform_view(request, object_id, form_url, context)

    def terminate_all(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Terminate all instances of the project, after its name is typed."""
        if not may_end_all(request):
            raise PermissionDenied
        project = get_object_or_404(Project, pk=pk)
        page = reverse("admin:accounts_project_change", args=[pk])
        if request.method == "POST":
            if request.POST.get("name") == project.name:
                return self._end_all(request, project, page)
            messages.error(request, "Nothing was terminated: the text is not the project's name.")
        rows = to_be_ended(project)
        first = rows.select_related("project").order_by("pk")[:SHOWN]
        count = rows.count()
        context = {
            **self.admin_site.each_context(request),
            "title": f"Terminate all instances of {project.name}?",
            "opts": self.opts,
            "project": project,
            "rows": [(each, spend_rate.of_confirmation([each]).text) for each in first],
            "count": count,
            "more": max(count - SHOWN, 0),
            "total": spend_rate.of_confirmation(rows).text,
            "back": page,
        }
        return TemplateResponse(request, "admin/instances/project/terminate_all.html", context)

    def _end_all(self, request: HttpRequest, project: Project, page: str) -> HttpResponseBase:
        cause = cause_of(request, "Terminate all in the admin")
        ended = services.terminate_all(project=project, cause=cause)
        messages.success(request, f"{len(ended)} instances of {project.name} are being terminated.")
        return HttpResponseRedirect(page)


def _usd(amount_e5_usd: int | None) -> str:
    return "-" if amount_e5_usd is None else f"{usd_text(amount_e5_usd)} USD"
