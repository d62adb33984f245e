"""Admin pages of projects, API keys and audit entries."""

from collections.abc import Collection, Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.admin import users  # noqa: F401 - registers itself
from accounts.admin.webhook_secrets import WebhookSecretPages
from accounts.models import ApiKey, AuditEntry, Project
from accounts.scopes import Scope, default_scopes
from accounts.services import create_api_key, digest_of, revoke_api_key
from core.admin_base import ReadOnlyAdmin, WordFilter


@admin.register(Project)
class ProjectAdmin(WebhookSecretPages):
    """Projects can be added, not renamed or deleted."""

    list_display: tuple[str, ...] = ("name", "public_id", "created_at")
    search_fields = ("name", "public_id__exact")
    fields = ("name", "public_id", "created_at")
    readonly_fields = ("public_id", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.add_project")


# Permissions that an operator needs to give a key the scope: a key must not be allowed more than
# the operator who creates it.
_NEEDED = {
    Scope.READ: {"instances.view_instance"},
    Scope.METRICS: {"instances.view_instance"},
    Scope.WRITE: {"instances.view_instance", "instances.change_instance"},
    Scope.ADMIN: {
        "instances.view_instance",
        "instances.change_instance",
        "accounts.change_apikey",
        "accounts.view_apikey",
    },
}


def grantable_by(user: Any) -> list[str]:
    """The scopes that this operator may give to a key. The admin never shows the passwords of
    machines, so only superusers may give the scope ``credentials``.
    """
    if user.is_superuser:
        return list(Scope.values)
    return [scope.value for scope, needed in _NEEDED.items() if user.has_perms(needed)]


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """Form of a new key, with the scopes as checkboxes."""

    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        initial=default_scopes,
        widget=forms.CheckboxSelectMultiple,
        help_text="write includes read; admin includes read and write. credentials allows reading"
        " the passwords of machines, metrics reading the metrics of the whole installation; no"
        " other scope includes these two.",
    )

    grantable: Collection[str] = Scope.values

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # With maxlength, browsers silently cut pasted text; without it, the server refuses it.
        if "name" in self.fields:
            self.fields["name"].widget.attrs.pop("maxlength", None)
        if "scopes" in self.fields:
            given = [choice for choice in Scope.choices if choice[0] in self.grantable]
            self.fields["scopes"].choices = given  # type: ignore[attr-defined]


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are created here and shown once; only their hash is stored."""

    form = ApiKeyForm
    list_display = (
        "name",
        "start",
        "project",
        "granted",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "project")
    list_select_related = ("project",)
    search_fields = ("name", "public_id__exact", "start__exact")
    readonly_fields = (
        "public_id", "start", "created_at", "last_used_at", "revoked_at",
    )  # fmt: skip
    actions = ("revoke_selected",)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        return type(form.__name__, (form,), {"grantable": grantable_by(request.user)})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.add_apikey")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apikey")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        asked = ("project", "name", "scopes", "expires_at", "rate_limit")
        return asked if obj is None else (*asked, *self.readonly_fields)

    @admin.display(description="scopes", ordering="scopes")
    def granted(self, obj: ApiKey) -> str:
        return ", ".join(obj.scopes)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Create the key; ``response_add`` shows it. Existing keys cannot be changed here."""
        key = create_api_key(
            project=obj.project,
            name=obj.name,
            scopes=obj.scopes,
            expires_at=obj.expires_at,
            rate_limit=obj.rate_limit,
            actor=f"operator:{request.user.get_username()}",
        )
        obj.pk = ApiKey.objects.get(digest=digest_of(key)).pk
        request.made_key = key  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the key on a page of its own: Django's messages would store it in a cookie."""
        context = {
            **self.admin_site.each_context(request),
            "title": "New API key",
            "api_key": obj,
            "key": request.made_key,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/accounts/apikey/made.html", context)

    @admin.action(description="Revoke selected keys", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        for api_key in rows:
            revoke_api_key(api_key, actor=f"operator:{request.user.get_username()}")
        self.message_user(request, "The keys are revoked.")


class VerbFilter(WordFilter):
    """Filter by verb; offers the verbs that occur in the table."""

    title = parameter_name = "verb"

    def words(self) -> Iterable[str]:
        return AuditEntry.objects.order_by("verb").values_list("verb", flat=True).distinct()


class SubjectFilter(admin.SimpleListFilter):
    """Filter by one subject, used by the *History* links. It has no choices, so it is not shown."""

    title = "subject"
    parameter_name = "subject"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        chosen = request.GET.get(self.parameter_name)
        return [(chosen, chosen)] if chosen else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry]
    ) -> QuerySet[AuditEntry]:
        value = self.value()
        return queryset if value is None else queryset.filter(subject=value.replace("\0", ""))


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyAdmin):
    """Audit entries, newest first."""

    list_display = ("at", "actor", "verb", "subject", "project", "change", "reason", "request_id")
    list_display_links = ("at",)
    list_filter = (VerbFilter, SubjectFilter, "project")
    list_select_related = ("project",)
    search_fields = ("subject__exact", "actor__exact", "request_id__exact", "address__exact")
    search_help_text = "Subject id, operator:NAME, key:ID, request id or client address (exact)."
    fields = (
        *("at", "actor", "address", "verb", "subject", "project"),
        *("before", "after", "reason", "request_id"),
    )

    @admin.display(description="from → to")
    def change(self, entry: AuditEntry) -> str:
        names = [name for name in {**entry.before, **entry.after} if _differs(entry, name)]
        shown = [
            f"{name}: {entry.before.get(name, '-')} → {entry.after.get(name, '-')}"
            for name in names
        ]
        return "; ".join(shown)[:200] or "-"


def _differs(entry: AuditEntry, name: str) -> bool:
    return bool(entry.before.get(name) != entry.after.get(name))
