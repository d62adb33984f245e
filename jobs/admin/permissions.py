"""Who may do what an operator does to jobs, and under which name it is kept."""

from django.http import HttpRequest


def may_change(request: HttpRequest) -> bool:
    """Retrying, cancelling and pausing change jobs, so they take the permission to change them."""
    user = request.user
    return bool(user.is_active and user.has_perm("jobs.change_job"))


def actor_of(request: HttpRequest) -> str:
    return f"operator:{request.user.get_username()}"
