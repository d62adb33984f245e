"""Who may do to instances what an operator does."""

from django.http import HttpRequest


def may_change(request: HttpRequest) -> bool:
    """Starting, stopping and ending change instances, so they take the permission to do that."""
    user = request.user
    return bool(user.is_active and user.has_perm("instances.change_instance"))
