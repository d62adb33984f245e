"""Permissions of operators on instances."""

from django.http import HttpRequest


def may_end_all(request: HttpRequest) -> bool:
    """Terminating all instances of a project or key needs ``accounts.terminate_all``."""
    user = request.user
    return bool(user.is_active and user.has_perm("accounts.terminate_all"))


def may_change(request: HttpRequest) -> bool:
    """Start, stop, restart, create again and terminate need ``instances.change_instance``."""
    user = request.user
    return bool(user.is_active and user.has_perm("instances.change_instance"))
