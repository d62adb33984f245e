"""Who may do to instances what an operator does."""

from django.http import HttpRequest


def may_end_all(request: HttpRequest) -> bool:
    """Ending everything of a project or key has a permission of its own."""
    user = request.user
    return bool(user.is_active and user.has_perm("accounts.terminate_all"))


def may_change(request: HttpRequest) -> bool:
    """Starting, stopping and ending change instances, so they take the permission to do that."""
    user = request.user
    return bool(user.is_active and user.has_perm("instances.change_instance"))
