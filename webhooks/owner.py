"""What the app that owns the subjects of messages (instances) provides to this one.

It registers one object when Django is ready.
"""

from collections.abc import Sequence
from typing import Protocol

from accounts.models import Project
from jobs.handler import Resolved
from jobs.models import Job
from webhooks.models import Delivery


class Owner(Protocol):
    """The app above this one."""

    def has_subject(self, project: Project, subject: str) -> bool:
        """True if the project has this subject."""

    def tell_undelivered(self, delivery: Delivery) -> None:
        """Called in the transaction that gives a delivery up. It must wait for no lock."""

    def paused(self, jobs: Sequence[Job]) -> Sequence[Resolved]:
        """The jobs postponed if nothing may be sent from this database; empty if it may."""

    def count_attempts(self, outcomes: dict[str, int]) -> None:
        """Add to the metric of attempts, by outcome."""


_owner: list[Owner] = []


def register(owner: Owner) -> None:
    """Set the owner; a later one replaces it."""
    _owner[:] = [owner]


def owner() -> Owner:
    (registered,) = _owner
    return registered
