"""Operators and their groups: only superusers may see and change them.

A user who may change users can make itself a superuser, so Django's own permissions for users
would be a way around all other permissions.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse

from accounts.console.site import hashes_a_password

admin.site.unregister(User)
admin.site.unregister(Group)


class ForSuperusers(admin.ModelAdmin):  # type: ignore[type-arg]
    """Allows superusers only, whatever permissions other users have."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


@admin.register(User)
class OperatorAdmin(ForSuperusers, UserAdmin):  # type: ignore[type-arg]
    """Django's user admin; the forms that hash a password take a hashing slot, as log-ins do."""

    @hashes_a_password
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().add_view(request, *args, **kwargs)

    @hashes_a_password
    def user_change_password(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().user_change_password(request, *args, **kwargs)


@admin.register(Group)
class OperatorGroupAdmin(ForSuperusers, GroupAdmin):
    """Django's group admin, for superusers only."""
