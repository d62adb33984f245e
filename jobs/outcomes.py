"""Outcomes: the results that a handler returns for its jobs."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Done:
    """The work is complete."""


@dataclass(frozen=True, slots=True)
class Again:
    """Progress was made; run again later. Not a failure: attempts are counted from 0 again.

    ``at`` is an exact time, so that many jobs become due together; without it, ``after`` counts.
    """

    after: timedelta = timedelta(0)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed. ``after`` replaces the type's backoff (e.g. a Retry-After header).

    ``keeps_delay``: also if the same work was enqueued meanwhile; else it runs again at once.
    """

    error: str
    after: timedelta | None = None
    traceback: str = ""
    keeps_delay: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The job can never succeed; it fails now, even if attempts are left."""

    error: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Released:
    """Set by the executor when the worker stops; the row returns to pending, no attempt counted."""


Outcome = Done | Again | Retry | GiveUp | Released
