"""Call budget of a client, and records of finished calls."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum

from upstream.errors import (
    AuthenticationFailed,
    BalanceNotEnough,
    CallBudgetExhausted,
    EdgeAnswered,
    NovitaConnectionError,
    NovitaError,
    NovitaTimeout,
    NovitaUnavailable,
    QuotaExceeded,
    RateLimited,
    Source,
    UnreadableAnswer,
)
from upstream.vocabulary import UnknownValue


class CallBudget:
    """Number of calls that may be made; each is taken before the network is used. Thread-safe."""

    def __init__(self, calls: int) -> None:
        if calls < 0:
            raise ValueError(f"a budget of {calls} calls")
        self.limit = calls
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        return self._used

    @property
    def remaining(self) -> int:
        return self.limit - self._used

    def take(self) -> None:
        """Raises CallBudgetExhausted if no call is left."""
        with self._lock:
            if self._used >= self.limit:
                raise CallBudgetExhausted(f"the budget of {self.limit} upstream calls is used up")
            self._used += 1


class CallOutcome(StrEnum):
    """How a call ended. Values are labels of a metric."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    RATE_LIMITED = "rate_limited"
    KEY_REFUSED = "key_refused"
    BALANCE_NOT_ENOUGH = "balance_not_enough"
    QUOTA_EXCEEDED = "quota_exceeded"
    SERVER_ERROR = "server_error"
    # A gateway, proxy or page answered in Novita's place.
    EDGE_ANSWERED = "edge_answered"
    # Novita's own 2xx that this release cannot read; not an outage.
    UNREADABLE = "unreadable"
    TIMEOUT = "timeout"
    CONNECTION_ERROR = "connection_error"


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A finished call. `endpoint` is the client's method, so its number of values is small.

    `counts_as_outage` and `retry_after` are for a circuit breaker and a limiter. `source`: who
    answered. For log lines, `reason` is Novita's reason and `text` the error without secrets.
    `unknown_values`: words and prices of a successful answer that this release cannot read.
    """

    endpoint: str
    outcome: CallOutcome
    seconds: float
    status: int | None = None
    counts_as_outage: bool = False
    retry_after: float | None = None
    source: Source = Source.NOVITA
    reason: str = ""
    text: str = ""
    unknown_values: tuple[UnknownValue, ...] = ()


def outcome_of(error: NovitaError | None) -> CallOutcome:
    """Outcome of an error. A broken exchange counts as server_error: the server sent it."""
    if error is None:
        return CallOutcome.OK
    for kind, outcome in (
        (NovitaTimeout, CallOutcome.TIMEOUT),
        (NovitaConnectionError, CallOutcome.CONNECTION_ERROR),
        (EdgeAnswered, CallOutcome.EDGE_ANSWERED),
        (UnreadableAnswer, CallOutcome.UNREADABLE),
        (NovitaUnavailable, CallOutcome.SERVER_ERROR),
        (RateLimited, CallOutcome.RATE_LIMITED),
        (AuthenticationFailed, CallOutcome.KEY_REFUSED),
        (BalanceNotEnough, CallOutcome.BALANCE_NOT_ENOUGH),
        (QuotaExceeded, CallOutcome.QUOTA_EXCEEDED),
    ):
        if isinstance(error, kind):
            return outcome
    return CallOutcome.CLIENT_ERROR
