"""What all admin pages of rows have in common: to look at, cheap on big tables."""


from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import cached_property

COUNT_CAP = 1_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than operators page: COUNT(*) over a million rows takes seconds."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return len(rows[:COUNT_CAP]) if isinstance(rows, list) else rows[:COUNT_CAP].count()


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows change through services only; the admin shows them, and its buttons call services."""

    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 50
    actions_on_bottom = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    """Rows that hang on another one, to look at."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
