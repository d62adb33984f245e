"""What a handler can say of a job once it has worked on it."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Done:
    """The work is complete."""


@dataclass(frozen=True, slots=True)
class Again:
    """Progress was made; look again later. No failure: the attempts start anew.

    ``at`` names the moment exactly, so that many jobs come due together; else ``after`` counts.
    """

    after: timedelta = timedelta(0)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed. ``after`` overrides the type's backoff, e.g. by a Retry-After header."""

    error: str
    after: timedelta | None = None
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The job can never succeed; it fails now, whatever attempts are left."""

    error: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Released:
    """Said by the executor: the worker stops; the row goes back as if it had not been started."""


Outcome = Done | Again | Retry | GiveUp | Released
