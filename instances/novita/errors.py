"""Why a call to the upstream failed, and what its caller may conclude from it.

    NovitaError
    ├── CallBudgetExhausted        raised before any network
    ├── NovitaUnavailable          nothing usable came back; trips a circuit breaker
    │   ├── NovitaTimeout
    │   ├── NovitaConnectionError  `is_sent` false: refused, DNS, TLS; the outcome is known
    │   ├── NovitaServerError      5xx
    │   └── NovitaProtocolError    an answer that this API does not give
    └── NovitaRefused              a 4xx: the upstream works, and says no
        ├── RateLimited
        ├── AuthenticationFailed   401, 403, a bad or banned key
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

from collections.abc import Iterable

MAX_TEXT = 500
# Shorter values ("1", "on") occur in any sentence; blanking them would hide the reason.
_MIN_SECRET = 4


class NovitaError(Exception):
    """Base of this boundary.

    retryable: the same call may succeed later. retry_after: seconds the upstream asked for.
    is_outcome_unknown: the request may have acted although it failed; look before repeating it.
    counts_as_outage: evidence that the upstream is down, for a circuit breaker.
    """

    retryable = False
    counts_as_outage = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
        is_outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.is_outcome_unknown = is_outcome_unknown


class CallBudgetExhausted(NovitaError):
    """The caller's allowance of calls is used up; nothing was sent."""

    retryable = True


class NovitaUnavailable(NovitaError):
    """No usable answer."""

    retryable = True
    counts_as_outage = True


class NovitaTimeout(NovitaUnavailable):
    """The total deadline of the call passed."""


class NovitaConnectionError(NovitaUnavailable):
    """The connection could not be made, or broke."""

    def __init__(self, message: str, *, is_sent: bool, is_outcome_unknown: bool) -> None:
        super().__init__(message, is_outcome_unknown=is_outcome_unknown)
        self.is_sent = is_sent


class NovitaServerError(NovitaUnavailable):
    """A 5xx."""


class NovitaProtocolError(NovitaUnavailable):
    """Not JSON, the wrong shape, a redirect, or a body beyond the cap."""


class NovitaRefused(NovitaError):
    """A 4xx; on its own, one that fits none of the kinds below."""


class RateLimited(NovitaRefused):
    """Any 429, and RATE_LIMIT_EXCEEDED under another status."""

    retryable = True


class AuthenticationFailed(NovitaRefused):
    """The key is missing, wrong, banned or not allowed; proves nothing about any instance."""


class NotFound(NovitaRefused):
    """A product, cluster, image or other thing named in the request does not exist."""


class InstanceNotFound(NotFound):
    """The instance that the call is about is unknown to this account.

    Raised for a 404 that comes from the API, and for each 400 variant (RESOURCE_NOT_FOUND,
    "not found", and the upstream's own spellings "not fount" and NOT_FOUNT). Never for the 404
    of a web server that does not know the route: a wrong base URL must not look like a deletion.
    """


class TemplateNotFound(NotFound):
    """The template does not exist, or is somebody else's private one."""


class InsufficientResource(NovitaRefused):
    """Sold out: try another offer."""


class InvalidStateChange(NovitaRefused):
    """Refused for the instance's state; the change was seen to take effect all the same."""


class BalanceNotEnough(NovitaRefused):
    """The account, or the member's budget, cannot pay for this."""


class QuotaExceeded(NovitaRefused):
    """The account's limit of instances, GPUs or operations is reached."""


class InvalidRequest(NovitaRefused):
    """A field is wrong, or the combination is not offered."""


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A foreign message made fit for logs, databases and people.

    Secrets that it echoes are blanked before it is cut, so that no half of one survives the cut.
    Values of fewer than 4 characters are not looked for.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _MIN_SECRET:
            text = text.replace(secret, "***")
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:MAX_TEXT]
