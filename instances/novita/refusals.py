"""From an HTTP status and an error body to an exception.

The body, where there is one, is `{"code", "reason", "message", "metadata"}`. Nearly every refusal
is a 400, so the reason decides; where it is missing, the words of the message do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from instances.novita.errors import (
    AuthenticationFailed,
    BalanceNotEnough,
    InstanceNotFound,
    InsufficientResource,
    InvalidRequest,
    InvalidStateChange,
    NotFound,
    NovitaError,
    NovitaProtocolError,
    NovitaRefused,
    NovitaServerError,
    QuotaExceeded,
    RateLimited,
    TemplateNotFound,
    clean_text,
)


class Subject(Enum):
    """What a call is about, which is what its "not found" speaks of."""

    INSTANCE = auto()
    TEMPLATE = auto()
    OTHER = auto()


_REASONS: dict[type[NovitaRefused], str] = {
    RateLimited: "RATE_LIMIT_EXCEEDED LIST_BILL_TOO_FAST",
    AuthenticationFailed: "UNAUTHORIZED FORBIDDEN MISSING_API_KEY INVALID_API_KEY"
    " INVALID_USER_TOKEN USER_NOT_FOUND BANNED_USER GET_TOKEN_FAILED",
    InsufficientResource: "INSUFFICIENT_RESOURCE MIGRATE_INSUFFICIENT_RESOURCE GPU_SPEC_USED",
    InvalidStateChange: "INVALID_STATE_CHANGE DEPENDENT_RESOURCE_STATE CONFLICT",
    BalanceNotEnough: "BALANCE_NOT_ENOUGH EXPIRED_OR_BALANCE_NOT_ENOUGH BUDGET_NOT_ENOUGH"
    " MEMBER_BUDGET_NOT_ENOUGH",
    QuotaExceeded: "CREATE_INSTANCE_LIMIT CREATE_GPU_NUM_LIMIT OPERATION_LIMIT NETWORK_MAX_LIMIT",
    TemplateNotFound: "TEMPLATE_NOT_FOUND TEMPLATE_IS_PRIVATE",
    # These name another thing than the instance, whatever the call: none proves its absence.
    NotFound: "IMAGE_NOT_FOUND NETWORK_NOT_FOUND NETWORK_STORAGE_NOT_FOUND JOB_NOT_FOUND"
    " INSTANCE_LOCAL_STORAGE_NOT_FOUND WALLET_NOT_FOUND PRODUCT_NOT_FOUND CLUSTER_NOT_FOUND",
}
_BY_REASON = {reason: kind for kind, reasons in _REASONS.items() for reason in reasons.split()}
_NOT_FOUND_REASONS = {"RESOURCE_NOT_FOUND", "NOT_FOUND", "NOT_FOUNT", "INSTANCE_NOT_FOUND"}
# Reasons that say no more than the status; the message is read instead.
_EMPTY_REASONS = {"", "UNKNOWN", "REQUEST", "BAD_REQUEST", "VALIDATOR_PARAM"}

_MESSAGES: tuple[tuple[re.Pattern[str], type[NovitaRefused]], ...] = (
    (re.compile(r"invalid state change"), InvalidStateChange),
    (re.compile(r"resource insufficient|insufficient resource"), InsufficientResource),
    (re.compile(r"balance (is )?not enough|insufficient balance"), BalanceNotEnough),
    (re.compile(r"template not foun[dt]"), TemplateNotFound),
)
_NOT_FOUND_MESSAGE = re.compile(r"not foun[dt]|does ?n[o']t exist")
_OTHER_THING = re.compile(
    r"\b(user|wallet|template|image|network|storage|job|product|cluster|route|page|path|key)\b"
)

# "instance 3560 not found in cluster us-ca-6" names a cluster, and is about the instance.
_INSTANCE_MISSING = re.compile(r"\binstance( \S+)? (is |was )?(not foun[dt]|does ?n[o']t exist)")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The upstream's words; `is_api` is false for what a proxy or web server wrote."""

    reason: str = ""
    message: str = ""
    is_api: bool = False


def parse_error_body(body: bytes) -> ErrorBody:
    """Never raises; a body in another form gives an empty reason and its text as the message."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorBody(message=body[:2000].decode("utf-8", "replace"))
    if not isinstance(value, dict):
        return ErrorBody(message=str(value)[:2000])
    reason, message = value.get("reason"), value.get("message")
    is_api = any(name in value for name in ("code", "reason", "message"))
    return ErrorBody(
        reason=reason.strip().upper() if isinstance(reason, str) else "",
        message=message if isinstance(message, str) else "",
        is_api=is_api,
    )


def error_for(
    status: int,
    body: bytes,
    *,
    subject: Subject,
    is_read: bool,
    retry_after: float | None = None,
    secrets: Iterable[str] = (),
) -> NovitaError:
    """The exception for a status outside 2xx."""
    error = parse_error_body(body)
    secrets = tuple(secrets)
    reason = clean_text(error.reason, secrets)[:100]
    kind = _kind(status, body, error, subject)
    words = " ".join(filter(None, (str(status), reason)))
    message = clean_text(error.message, secrets)
    return kind(
        clean_text(f"{words}: {message}" if message else f"the upstream answered {words}"),
        status=status,
        reason=reason,
        retry_after=retry_after,
        # A redirect or a 1xx tells nothing about what happened behind it; a 4xx is a refusal.
        is_outcome_unknown=not is_read and not 400 <= status < 500,
        refuses_the_id=_refuses_the_id(kind, subject),
    )


def _refuses_the_id(kind: type[NovitaError], subject: Subject) -> bool:
    is_other = issubclass(kind, (AuthenticationFailed, RateLimited))
    return subject is Subject.INSTANCE and issubclass(kind, NovitaRefused) and not is_other


def _kind(status: int, body: bytes, error: ErrorBody, subject: Subject) -> type[NovitaError]:
    if status >= 500:
        return NovitaServerError
    if status < 400:
        return NovitaProtocolError
    if status == 429:
        return RateLimited
    if status == 401:
        return AuthenticationFailed
    known = _by_words(error, subject)
    if status == 403:
        is_limit = known in (QuotaExceeded, BalanceNotEnough, RateLimited)
        return known if known and is_limit else AuthenticationFailed
    if known is not None:
        return known
    if status == 404:
        return _missing(subject) if _is_from_api(body, error) else NovitaProtocolError
    return InvalidRequest if status in (400, 409, 422) else NovitaRefused


def _by_words(error: ErrorBody, subject: Subject) -> type[NovitaRefused] | None:
    if error.reason in _BY_REASON:
        return _BY_REASON[error.reason]
    if error.reason in _NOT_FOUND_REASONS:
        return _missing(subject)
    # "invalid state change" has been seen, its reason has not: the words stand under any reason.
    message = error.message.lower()
    for pattern, kind in _MESSAGES:
        if pattern.search(message):
            return kind
    if error.reason in _EMPTY_REASONS and error.is_api and _NOT_FOUND_MESSAGE.search(message):
        is_other = _OTHER_THING.search(message) and not _INSTANCE_MISSING.search(message)
        return NotFound if is_other else _missing(subject)
    return None


def _missing(subject: Subject) -> type[NovitaRefused]:
    return {Subject.INSTANCE: InstanceNotFound, Subject.TEMPLATE: TemplateNotFound}.get(
        subject, NotFound
    )


def _is_from_api(body: bytes, error: ErrorBody) -> bool:
    """An unknown route answers with a page or a line of text; the API with JSON or nothing."""
    return error.is_api or body.strip() in (b"", b"{}", b"null")
