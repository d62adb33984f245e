"""Table of all conditions in which the service does not do all of its work.

``/health`` reports all that are true now, ``/readyz`` those that stop requests. docs/operations.md
shows the table, and a test keeps the two equal.
"""

from dataclasses import dataclass
from datetime import datetime

from core.database.failures import FAILURES, Cause
from instances.models import UpstreamGate


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of condition. words: for people; details follow. metric, log: names of the metric and
    of the log line that report it as well.
    """

    words: str
    metric: str = ""
    log: str = ""
    stops_requests: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that is true now. code: a key of KINDS. words: those of the kind, and details."""

    code: str
    words: str
    since: datetime | None = None

    @classmethod
    def of(cls, code: str, details: str = "", since: datetime | None = None) -> "Condition":
        return cls(code, f"{KINDS[code].words} {details}".strip(), since)

    @property
    def stops_requests(self) -> bool:
        return KINDS[self.code].stops_requests


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
    "novita_down": Kind("The latest calls to Novita failed.", "novitai_upstream_breaker"),
    "novita_key_refused": Kind("Novita refuses the API key (NOVITA_API_KEY).", _CALLS),
    "novita_edge": Kind("A proxy or gateway answers in place of Novita.", _CALLS),
    "novita_outage": Kind("Novita is down.", "novitai_upstream_breaker"),
    "novita_balance": Kind("The balance of the account at Novita is too low.", _CALLS),
    "novita_quota": Kind("The account at Novita has reached one of its limits.", _CALLS),
}
KINDS: dict[str, Kind] = {
    **_DATABASE,
    "migrations_missing": Kind(
        "Migrations are not applied. Run manage.py migrate.", stops_requests=True
    ),
    "no_worker": Kind(
        "No worker is running (manage.py worker). Requests are accepted, and their jobs wait.",
        "novitai_workers",
    ),
    "jobs_wait": Kind("Jobs that are due are not started.", "novitai_oldest_due_job_seconds"),
    "held_back": Kind(
        "This database was moved or copied. Workers do nothing at Novita until an operator accepts"
        " it (manage.py reconcile --accept).",
        "novitai_installation_held_back",
        "held_back_in_another_environment",
    ),
    "braked": Kind(
        "Too many instances are missing at Novita at once, so their absence is not believed yet"
        " (manage.py reconcile --accept).",
        "novitai_reconcile_braked",
    ),
    **_OF_NOVITA,
    "paused": Kind("Jobs that create or end instances are paused.", "novitai_job_type_paused"),
    "reconciler_late": Kind("Reconciliation with Novita is late.", "novitai_reconcile_age_seconds"),
    "cache_broken": Kind("The shared cache cannot be used."),
}


def of_database(cause: Cause) -> Condition:
    return Condition.of(f"database_{cause.value}")


def of_novita(gate: UpstreamGate | None, *, is_up: bool) -> Condition | None:
    """The condition of the current hold; without a hold, of the outcome of the latest calls."""
    code = f"novita_{gate.hold}" if gate is not None else ""
    if gate is not None and code in _OF_NOVITA:
        return Condition.of(code, since=gate.hold_since)
    return None if is_up else Condition.of("novita_down")
