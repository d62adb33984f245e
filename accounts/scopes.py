"""What a key may do. Each scope is given by name; only ``admin`` brings others along."""

from collections.abc import Iterable

from django.db import models


class Scope(models.TextChoices):
    """The words a key carries."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    CREDENTIALS = "credentials"
    METRICS = "metrics"


# Not ``credentials``: who runs a project need not see the passwords of its machines.
_BROUGHT_ALONG = {
    Scope.WRITE: {Scope.READ},
    Scope.ADMIN: {Scope.READ, Scope.WRITE},
}
DEFAULT_SCOPES = [Scope.READ.value, Scope.WRITE.value]


def default_scopes() -> list[str]:
    """Of a key that was made without a word about it: everything but what is delicate."""
    return list(DEFAULT_SCOPES)


def may_see_all_figures(given: Iterable[str]) -> bool:
    """Whether a key with these scopes is shown the figures of the whole installation."""
    words = set(given)
    return is_covered(Scope.ADMIN, words) or is_covered(Scope.METRICS, words)


def is_covered(wanted: Scope, given: Iterable[str]) -> bool:
    """Whether a key with the scopes ``given`` may do what needs ``wanted``."""
    words = set(given)
    brought = (also for scope, also in _BROUGHT_ALONG.items() if scope.value in words)
    return wanted.value in words or any(wanted in also for also in brought)
