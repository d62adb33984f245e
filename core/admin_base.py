"""Base classes of the admin pages: read-only, and fast on big tables."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.http import urlencode

COUNT_CAP = 1_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts rows up to a limit only: COUNT(*) over a million rows takes seconds."""

    @cached_property
    def count(self) -> int:
        return len(self.object_list[:COUNT_CAP].values_list("pk"))  # type: ignore[attr-defined]


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows rows read-only. Only services change rows; buttons of the admin call services."""

    show_full_result_count = False
    paginator = CappedPaginator
    # Counts beside the filters would cost a COUNT(*) for each choice.
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The audit entries of the object; Django's own history has only forms of the admin."""
        found = self.get_object(request, object_id)
        if found is None:
            raise Http404
        if not self.has_view_permission(request, found):
            raise PermissionDenied
        subject = getattr(found, "public_id", str(found))
        url = reverse("admin:accounts_auditentry_changelist")
        return HttpResponseRedirect(f"{url}?{urlencode({'subject': subject})}")


class WordFilter(admin.SimpleListFilter):
    """A filter with fixed choices; Django's own filter would read all rows to find the choices.

    ``parameter_name`` is the column.
    """

    def words(self) -> Iterable[str]:
        raise NotImplementedError

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        return [(word, word) for word in self.words()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(**{str(self.parameter_name): value})


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    """Read-only inline rows."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
