"""Every state in which the service does not do its work: one table of them.

``/health`` tells all that hold, ``/readyz`` those that stop requests; docs/operations.md shows the
table, and a test keeps the two equal.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.clock import iso
from core.database.failures import FAILURES, Cause
from instances.models import UpstreamGate


@dataclass(frozen=True, slots=True)
class Kind:
    """words: for people, before what is particular. metric, log: where it shows as well."""

    words: str
    metric: str = ""
    log: str = ""
    stops_requests: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A state that holds now. code: of KINDS, for programs. words: the kind's, and details."""

    code: str
    words: str
    since: datetime | None = None

    @classmethod
    def of(cls, code: str, details: str = "", since: datetime | None = None) -> "Condition":
        return cls(code, f"{KINDS[code].words} {details}".strip(), since)

    @property
    def stops_requests(self) -> bool:
        return KINDS[self.code].stops_requests

    def as_json(self) -> dict[str, Any]:
        body = {"code": self.code, "message": self.words}
        return {**body, "since": iso(self.since)} if self.since else body


_DATABASE = {
    f"database_{cause.value}": Kind(
        failure.words,
        "novitai_database_failures_total",
        "database_busy" if cause is Cause.BUSY else "database_unusable",
        stops_requests=cause is not Cause.BUSY,
    )
    for cause, failure in FAILURES.items()
}
_CALLS = "novitai_upstream_calls_total"
_OF_NOVITA = {
    "novita_down": Kind("Novita does not answer as it should.", "novitai_upstream_breaker"),
    "novita_key_refused": Kind("Novita refuses the key (NOVITA_API_KEY).", _CALLS),
    "novita_edge": Kind("Something in front of Novita answers in its place.", _CALLS),
    "novita_outage": Kind("Novita is down.", "novitai_upstream_breaker"),
    "novita_balance": Kind("The balance of the account at Novita is spent.", _CALLS),
    "novita_quota": Kind("The account at Novita is at its quota.", _CALLS),
}
KINDS: dict[str, Kind] = {
    **_DATABASE,
    "migrations_missing": Kind(
        "Migrations are not applied: manage.py migrate.", stops_requests=True
    ),
    "no_worker": Kind(
        "No worker has been seen lately: manage.py worker. Requests are accepted and wait.",
        "novitai_workers",
    ),
    "jobs_wait": Kind("Jobs that are due are not taken.", "novitai_oldest_due_job_seconds"),
    "held_back": Kind(
        "This database has moved, or is a copy: nothing is done at Novita until an operator says"
        " so (manage.py reconcile --accept).",
        "novitai_installation_held_back",
        "held_back_in_another_environment",
    ),
    "braked": Kind(
        "Too much vanished at Novita at once to be believed (manage.py reconcile --accept).",
        "novitai_reconcile_braked",
    ),
    **_OF_NOVITA,
    "paused": Kind("Jobs that make or end instances are paused.", "novitai_job_type_paused"),
    "reconciler_late": Kind("The comparison with Novita is late.", "novitai_reconcile_age_seconds"),
    "cache_broken": Kind("The shared cache cannot be used."),
}


def of_database(cause: Cause) -> Condition:
    return Condition.of(f"database_{cause.value}")


def of_novita(gate: UpstreamGate | None, *, is_up: bool) -> Condition | None:
    """A hold is why creates wait; without one, what the last calls say."""
    code = f"novita_{gate.hold}" if gate is not None else ""
    if gate is not None and code in _OF_NOVITA:
        return Condition.of(code, since=gate.hold_since)
    return None if is_up else Condition.of("novita_down")
