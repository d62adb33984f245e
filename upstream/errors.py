"""Why a call to the upstream failed, and what its caller may conclude from it.

    NovitaError
    ├── CallBudgetExhausted        raised before any network
    ├── NovitaUnavailable          nothing usable came back; trips a circuit breaker
    │   ├── NovitaTimeout
    │   ├── NovitaConnectionError  `is_sent` false: refused, DNS, TLS; the outcome is known
    │   ├── NovitaServerError      a 5xx in Novita's own words, none of which is known
    │   ├── EdgeAnswered           a proxy, gateway or web page answered in place of Novita
    │   └── NovitaProtocolError    an answer that this API does not give
    │       └── UnreadableAnswer   Novita's own 2xx in an unknown form; no outage
    │           └── BlankAnswer    a look's, without any instance in it
    └── NovitaRefused              the upstream works, and says no
        ├── RateLimited
        ├── AuthenticationFailed   the key is refused; also named KeyRefused
        ├── NotFound               something named in the request does not exist
        │   ├── InstanceNotFound
        │   └── TemplateNotFound
        ├── InsufficientResource   no GPU left for this offer
        ├── InvalidStateChange     the instance is not in a state for this verb; re-read it
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
# Text beyond is dropped: bounds the time that a page of megabytes takes.
_LONGEST = 20_000
_MARKUP = re.compile(
    r"<(script|style)\b.*?(</\1\s*>|$)|<[a-z/!?][^>]*(>|$)", re.IGNORECASE | re.DOTALL
)
# Shorter values ("1", "on") occur in any sentence; blanking them would hide the reason.
_MIN_SECRET = 4


class Source(StrEnum):
    """Who spoke. Only NOVITA's word proves anything about an instance."""

    # Novita's own error shape, or a 2xx of Novita.
    NOVITA = "novita"
    # HTML, text, a gateway's JSON, or nothing at all under a status.
    EDGE = "edge"
    # No answer: refused, reset, timed out, broken off; or the call was not made.
    NETWORK = "network"


class Blame(StrEnum):
    """Who has to change something before the same call can succeed."""

    # Only this offer: another one may do.
    OFFER = "offer"
    # The customer's request: no other offer will do either.
    REQUEST = "request"
    # Our account at Novita (key, money, allowance): the operator's matter, never the customer's.
    ACCOUNT = "account"
    # Novita, or the way to it: the same call may succeed later.
    UPSTREAM = "upstream"


class NovitaError(Exception):
    """Base of this boundary.

    retryable: the same call may succeed later. retry_after: seconds the upstream asked for.
    is_outcome_unknown: the request may have acted although it failed; look before repeating it.
    counts_as_outage: evidence that the upstream is down, for a circuit breaker.
    source: who spoke. belongs_to: who has to change something.
    refuses_the_id: Novita itself refused a call about one instance, with a 4xx that is neither
    the key's nor the rate's; true of InstanceNotFound, and weaker: the wording may be unknown.
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
    """The caller's allowance of calls is used up; nothing was sent."""

    retryable = True
    source = Source.NETWORK


class NovitaUnavailable(NovitaError):
    """No usable answer."""

    retryable = True
    counts_as_outage = True


class NovitaTimeout(NovitaUnavailable):
    """The total deadline of the call passed."""

    source = Source.NETWORK


class NovitaConnectionError(NovitaUnavailable):
    """The connection could not be made, or broke."""

    source = Source.NETWORK

    def __init__(self, message: str, *, is_sent: bool, is_outcome_unknown: bool) -> None:
        super().__init__(message, is_outcome_unknown=is_outcome_unknown)
        self.is_sent = is_sent


class NovitaServerError(NovitaUnavailable):
    """A 5xx."""


class EdgeAnswered(NovitaUnavailable):
    """Something in front of Novita answered, under any status, a 2xx included.

    It proves nothing about any instance or request: hold, and try again. A write stays in doubt.
    """

    source = Source.EDGE


class NovitaProtocolError(NovitaUnavailable):
    """Not JSON, the wrong shape, a redirect, or a body beyond the cap."""


class UnreadableAnswer(NovitaProtocolError):
    """Novita's own 2xx in a form that we cannot read: this one call failed, Novita works."""

    counts_as_outage = False


class BlankAnswer(UnreadableAnswer):
    """A look's 2xx without any instance in it: `{}`, null. How some servers say "not there"."""


class NovitaRefused(NovitaError):
    """A 4xx; on its own, one that fits none of the kinds below."""


class RateLimited(NovitaRefused):
    """Any 429, and RATE_LIMIT_EXCEEDED under another status."""

    retryable = True


class AuthenticationFailed(NovitaRefused):
    """The key is missing, wrong, expired, banned or not allowed: the operator's matter.

    Proves nothing about any instance. Hold creates as in an outage.
    """

    belongs_to = Blame.ACCOUNT


KeyRefused = AuthenticationFailed


class NotFound(NovitaRefused):
    """A product, cluster, image or other thing named in the request does not exist."""

    belongs_to = Blame.OFFER


class InstanceNotFound(NotFound):
    """The instance that the call is about is unknown to this account.

    Raised for a 404 that comes from the API, and for each 400 variant (RESOURCE_NOT_FOUND,
    "not found", and the upstream's own spellings "not fount" and NOT_FOUNT). Never for the 404
    of a web server that does not know the route: a wrong base URL must not look like a deletion.
    """

    refuses_the_id = True


class TemplateNotFound(NotFound):
    """The template does not exist, or is somebody else's private one."""

    belongs_to = Blame.REQUEST


class InsufficientResource(NovitaRefused):
    """Sold out: try another offer."""

    belongs_to = Blame.OFFER


class InvalidStateChange(NovitaRefused):
    """Refused for the instance's state; the change was seen to take effect all the same."""


class BalanceNotEnough(NovitaRefused):
    """The account, or the member's budget, cannot pay for this."""

    belongs_to = Blame.ACCOUNT


class QuotaExceeded(NovitaRefused):
    """The account's limit of instances, GPUs or operations is reached."""

    belongs_to = Blame.ACCOUNT


class InvalidRequest(NovitaRefused):
    """A field is wrong, or the combination is not offered."""

    belongs_to = Blame.REQUEST


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A foreign message made fit for logs, databases and people: one line without markup.

    Secrets that it echoes are blanked before it is cut, so that no half of one survives the cut.
    Values of fewer than 4 characters are not looked for.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _MIN_SECRET:
            text = text.replace(secret, "***")
    text = _MARKUP.sub(" ", text[:_LONGEST])
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:MAX_TEXT]
