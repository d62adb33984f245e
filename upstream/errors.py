"""Errors of calls to Novita, and what the caller may conclude from each.

    NovitaError
    ├── CallBudgetExhausted        raised before the network is used
    ├── NovitaUnavailable          no usable answer; opens a circuit breaker
    │   ├── NovitaTimeout
    │   ├── NovitaConnectionError  `is_sent` false: refused, DNS, TLS; the outcome is known
    │   ├── NovitaServerError      a 5xx of Novita in unknown words
    │   ├── EdgeAnswered           a proxy, gateway or web page answered in place of Novita
    │   └── NovitaProtocolError    an answer in no format of this API
    │       └── UnreadableAnswer   Novita's own 2xx in an unknown format; no outage
    │           └── BlankAnswer    of a get by id, without an instance
    └── NovitaRefused              Novita works and refuses
        ├── RateLimited
        ├── AuthenticationFailed   the key is refused; also named KeyRefused
        ├── NotFound               an object in the request does not exist
        │   ├── InstanceNotFound
        │   └── TemplateNotFound
        ├── InsufficientResource   no GPU left for this offer
        ├── InvalidStateChange     not possible in the instance's status; read it again
        ├── BalanceNotEnough
        ├── QuotaExceeded          a limit of the account
        └── InvalidRequest

Texts are safe to log: see `clean_text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

MAX_TEXT = 500
# Longer text is dropped, to limit the time for a page of megabytes.
_LONGEST = 20_000
_MARKUP = re.compile(
    r"<(script|style)\b.*?(</\1\s*>|$)|<[a-z/!?][^>]*(>|$)", re.IGNORECASE | re.DOTALL
)
# Shorter values ("1", "on") occur in any sentence; removing them would hide the reason.
_MIN_SECRET = 4


class Source(StrEnum):
    """Who answered. Only NOVITA's answers prove anything about an instance."""

    # Novita's own error format, or a 2xx of Novita.
    NOVITA = "novita"
    # HTML, text, a gateway's JSON, or an empty body.
    EDGE = "edge"
    # No answer: refused, reset, timed out, broken off; or the call was not made.
    NETWORK = "network"


class Blame(StrEnum):
    """Who has to change something before the same call can succeed."""

    # This offer only: another one may succeed.
    OFFER = "offer"
    # The customer's request: no other offer will succeed.
    REQUEST = "request"
    # This service's account at Novita (key, balance, quota): for the operator, not the customer.
    ACCOUNT = "account"
    # Novita, or the network: the same call may succeed later.
    UPSTREAM = "upstream"


class NovitaError(Exception):
    """Base of all errors of this library.

    retryable: the same call may succeed later. retry_after: seconds that Novita asked for.
    is_outcome_unknown: the request may have acted although it failed; check before repeating it.
    counts_as_outage: sign that Novita is down, for a circuit breaker.
    source: who answered. belongs_to: who has to change something.
    refuses_the_id: Novita itself refused a call about one instance with a 4xx, not for the key or
    the rate. True of InstanceNotFound; weaker evidence otherwise, since the wording may be unknown.
    """

    retryable = False
    counts_as_outage = False
    source = Source.NOVITA
    belongs_to = Blame.UPSTREAM
    refuses_the_id = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
        is_outcome_unknown: bool = False,
        source: Source | None = None,
        belongs_to: Blame | None = None,
        refuses_the_id: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.is_outcome_unknown = is_outcome_unknown
        self.source = source or self.source
        self.belongs_to = belongs_to or self.belongs_to
        self.refuses_the_id = self.refuses_the_id if refuses_the_id is None else refuses_the_id


class CallBudgetExhausted(NovitaError):
    """The call budget of the client is used up; nothing was sent."""

    retryable = True
    source = Source.NETWORK


class NovitaUnavailable(NovitaError):
    """No usable answer."""

    retryable = True
    counts_as_outage = True


class NovitaTimeout(NovitaUnavailable):
    """The total deadline of the call has passed."""

    source = Source.NETWORK


class NovitaConnectionError(NovitaUnavailable):
    """The connection failed or broke."""

    source = Source.NETWORK

    def __init__(self, message: str, *, is_sent: bool, is_outcome_unknown: bool) -> None:
        super().__init__(message, is_outcome_unknown=is_outcome_unknown)
        self.is_sent = is_sent


class NovitaServerError(NovitaUnavailable):
    """A 5xx."""


class EdgeAnswered(NovitaUnavailable):
    """A gateway, proxy or page in front of Novita answered, with any status, 2xx included.

    Proves nothing about any instance or request: wait and repeat. A write stays unconfirmed.
    """

    source = Source.EDGE


class NovitaProtocolError(NovitaUnavailable):
    """Not JSON, wrong format, a redirect, or a body above the limit."""


class UnreadableAnswer(NovitaProtocolError):
    """Novita's own 2xx in an unreadable format: this call failed, but Novita works."""

    counts_as_outage = False


class BlankAnswer(UnreadableAnswer):
    """A 2xx to a get by id without an instance: `{}`, null. Some servers mean "not there"."""


class NovitaRefused(NovitaError):
    """A 4xx; used directly for those without a class below."""


class RateLimited(NovitaRefused):
    """Any 429, and RATE_LIMIT_EXCEEDED with another status."""

    retryable = True


class AuthenticationFailed(NovitaRefused):
    """The key is missing, wrong, expired, banned or not permitted: for the operator.

    Proves nothing about any instance. Creates are held as in an outage.
    """

    belongs_to = Blame.ACCOUNT


KeyRefused = AuthenticationFailed


class NotFound(NovitaRefused):
    """A product, cluster, image or other object in the request does not exist."""

    belongs_to = Blame.OFFER


class InstanceNotFound(NotFound):
    """The instance of the call is unknown to this account.

    Raised for a 404 of the API, and for each 400 variant (RESOURCE_NOT_FOUND, "not found", and
    Novita's own spellings "not fount" and NOT_FOUNT). Not for the 404 of a web server that does not
    know the route: a wrong base URL must not look like a deletion.
    """

    refuses_the_id = True


class TemplateNotFound(NotFound):
    """The template does not exist, or is another account's private one."""

    belongs_to = Blame.REQUEST


class InsufficientResource(NovitaRefused):
    """Sold out: try another offer."""

    belongs_to = Blame.OFFER


class InvalidStateChange(NovitaRefused):
    """Refused for the instance's status; the change has been seen to happen all the same."""


class BalanceNotEnough(NovitaRefused):
    """The account's balance, or the member's budget, is too low."""

    belongs_to = Blame.ACCOUNT


class QuotaExceeded(NovitaRefused):
    """The account's limit of instances, GPUs or operations is reached."""

    belongs_to = Blame.ACCOUNT


class InvalidRequest(NovitaRefused):
    """A field is wrong, or the combination is not offered."""

    belongs_to = Blame.REQUEST


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A foreign message as one line without markup, for logs, databases and people.

    Secrets are replaced before the text is cut, so that no part of one remains. Values shorter than
    4 characters are not replaced.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _MIN_SECRET:
            text = text.replace(secret, "***")
    text = _MARKUP.sub(" ", text[:_LONGEST])
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:MAX_TEXT]
