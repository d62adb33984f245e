"""Scopes of API keys. ``write`` includes ``read``; ``admin`` includes ``read`` and ``write``."""

from collections.abc import Iterable

from django.db import models


class Scope(models.TextChoices):
    """The scopes that a key can have."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    CREDENTIALS = "credentials"
    METRICS = "metrics"


# No scope includes ``credentials``: an administrator need not see the passwords of machines.
_BROUGHT_ALONG = {
    Scope.WRITE: {Scope.READ},
    Scope.ADMIN: {Scope.READ, Scope.WRITE},
}
DEFAULT_SCOPES = [Scope.READ.value, Scope.WRITE.value]


def default_scopes() -> list[str]:
    """Scopes of a key that was created without naming any: ``read`` and ``write``."""
    return list(DEFAULT_SCOPES)


def may_see_all_figures(given: Iterable[str]) -> bool:
    """Whether a key with these scopes may read the figures of the whole installation."""
    words = set(given)
    return is_covered(Scope.ADMIN, words) or is_covered(Scope.METRICS, words)


def is_covered(wanted: Scope, given: Iterable[str]) -> bool:
    """Whether the scopes ``given`` include the scope ``wanted``."""
    words = set(given)
    brought = (also for scope, also in _BROUGHT_ALONG.items() if scope.value in words)
    return wanted.value in words or any(wanted in also for also in brought)
