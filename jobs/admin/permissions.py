"""Permission of operators on jobs, and the name under which their actions are recorded."""

from django.http import HttpRequest


def may_change(request: HttpRequest) -> bool:
    """Retry, cancel, pause and resume need ``jobs.change_job``."""
    user = request.user
    return bool(user.is_active and user.has_perm("jobs.change_job"))


def actor_of(request: HttpRequest) -> str:
    return f"operator:{request.user.get_username()}"
