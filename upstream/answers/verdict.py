"""Translates an error status and body into an exception.

The reason counts before the message, the message before the status. In a 5xx, only refusals (stock,
balance, quota, key, rate) and "not there" are believed. The table in `consequences` shows what
follows from each exception for each kind of call.
"""

from __future__ import annotations

from collections.abc import Iterable

from upstream.answers.absence_words import Missing, what_is_missing
from upstream.answers.consequences import CallKind
from upstream.answers.phrases import (
    field_meaning,
    has_failed,
    is_forbidden_thing,
    meaning_of,
    missing_thing,
)
from upstream.answers.reasons import (
    BALANCE,
    DOUBTFUL,
    INVALID,
    KEY,
    MEANINGS,
    MISSING,
    OTHER,
    RATE,
    STATE,
    TEMPLATE,
    Meaning,
    as_words,
    reason_key,
)
from upstream.answers.speaker import Spoken, listen
from upstream.errors import (
    AuthenticationFailed,
    Blame,
    EdgeAnswered,
    InstanceNotFound,
    InvalidRequest,
    NotFound,
    NovitaError,
    NovitaRefused,
    NovitaServerError,
    RateLimited,
    Source,
    TemplateNotFound,
    clean_text,
)

_MAX_EDGE_TEXT = 200
# Uncertain whether something was done: see RFC 9110, and gRPC's Canceled (499), Aborted and
# AlreadyExists (409).
_UNKNOWN_STATUSES = frozenset({408, 409, 421, 425, 499})


def error_for(
    status: int,
    body: bytes,
    *,
    kind: CallKind,
    retry_after: float | None = None,
    secrets: Iterable[str] = (),
) -> NovitaError:
    """The exception for a status outside 2xx. Never raises."""
    return error_of(
        status, listen(status, body), kind=kind, retry_after=retry_after, secrets=secrets
    )


def error_of(
    status: int,
    spoken: Spoken,
    *,
    kind: CallKind,
    retry_after: float | None = None,
    secrets: Iterable[str] = (),
) -> NovitaError:
    """The exception for words whose source is known: Novita or an edge."""
    if spoken.is_novita and 400 <= status < 600:
        verdict = _verdict(status, spoken, kind)
    else:
        verdict = _of_an_edge(status)
    return _error(status, spoken, verdict, kind, retry_after, tuple(secrets))


# Exception, blame, whether it is certain that nothing was done, and a note.
_Verdict = tuple[type[NovitaError], Blame, bool, str]


def _error(
    status: int,
    spoken: Spoken,
    verdict: _Verdict,
    kind: CallKind,
    retry_after: float | None,
    secrets: tuple[str, ...],
) -> NovitaError:
    error_type, blame, is_certain, note = verdict
    is_novita = spoken.is_novita and error_type is not EdgeAnswered
    reason = clean_text(spoken.reason.upper(), secrets)[:100]
    is_refusal = issubclass(error_type, NovitaRefused) and 400 <= status < 500
    is_of_account = issubclass(error_type, AuthenticationFailed | RateLimited)
    return error_type(
        _text(status, reason, clean_text(spoken.message, secrets), note)
        if is_novita
        else edge_text(f"answered {status}: {spoken.message}", secrets),
        status=status,
        reason=reason,
        retry_after=retry_after,
        is_outcome_unknown=not kind.is_read and not is_certain,
        source=spoken.source if is_novita else Source.EDGE,
        belongs_to=blame,
        refuses_the_id=issubclass(error_type, InstanceNotFound)
        or (is_novita and kind.is_about_an_instance and is_refusal and not is_of_account),
    )


def edge_text(description: str, secrets: Iterable[str]) -> str:
    """One line about an edge's answer; cut after secrets are removed."""
    return clean_text(f"something in front of Novita {description}", secrets)[:_MAX_EDGE_TEXT]


def _text(status: int, reason: str, message: str, note: str) -> str:
    words = " ".join(filter(None, (str(status), reason)))
    text = f"{words}: {message}" if message else f"Novita answered {words}"
    return clean_text(f"{text} ({note})" if note else text)


def _of_an_edge(status: int) -> _Verdict:
    """A 429 of an edge is obeyed like Novita's; other answers of an edge prove nothing."""
    return (RateLimited if status == 429 else EdgeAnswered), Blame.UPSTREAM, False, ""


def _verdict(status: int, spoken: Spoken, kind: CallKind) -> _Verdict:
    """By Novita's words: the reason, then the message, then the status."""
    key = reason_key(spoken.reason)
    # A 401 is about the key, whatever its words, and proves nothing about an instance.
    missing = _missing(key, spoken) if status != 401 else None
    if missing is Missing.INSTANCE or (missing is Missing.UNNAMED and status != 403):
        return _not_there(status, missing, kind)
    meaning = MEANINGS.get(key)
    if kind.is_about_an_instance and status == 403 and is_forbidden_thing(spoken.message):
        # The key works but may not access this instance: many services answer so after a deletion.
        return NovitaRefused, Blame.REQUEST, False, ""
    if meaning is None and missing is Missing.OTHER and status < 500 and status != 403:
        meaning = missing_thing(f"{as_words(spoken.reason)} {spoken.message}")
    if meaning is None and key in INVALID and status < 500:
        meaning = field_meaning(spoken.message)
    if meaning is None:
        meaning = _of_words(status, key, spoken.message)
    if meaning is None and key not in INVALID and key not in DOUBTFUL:
        # A reason in no table may still be readable: RESOURCE_SOLD_OUT.
        meaning = _of_words(status, key, as_words(spoken.reason))
    return _meant(meaning, kind) if meaning else _by_status(status, key, spoken.message, kind)


def _missing(key: str, spoken: Spoken) -> Missing | None:
    """What is said to be missing; the reason decides if the message names nothing."""
    if key in MEANINGS:
        return None
    of_reason = Missing.UNNAMED if key in MISSING else what_is_missing(as_words(spoken.reason))
    of_message = what_is_missing(spoken.message)
    if of_message in (None, Missing.UNNAMED):
        return of_reason or of_message
    return of_message


def _of_words(status: int, key: str, message: str) -> Meaning | None:
    """Meaning of a message. After a doubtful reason, as in a 5xx, only refusals and STATE count."""
    is_doubtful = key in DOUBTFUL
    meaning = meaning_of(message, is_server_error=status >= 500 or is_doubtful)
    if meaning is None and is_doubtful and meaning_of(message, is_server_error=False) is STATE:
        return STATE
    return meaning


def _not_there(status: int, missing: Missing, kind: CallKind) -> _Verdict:
    if kind.is_about_an_instance:
        return InstanceNotFound, Blame.REQUEST, True, ""
    if kind is CallKind.TEMPLATE and status < 500:
        return TemplateNotFound, Blame.REQUEST, True, ""
    # For a create: a 5xx about a missing record may come after the create acted, and one about a
    # missing instance may have made it.
    if status >= 500 or (kind is CallKind.CREATE and missing is Missing.INSTANCE):
        return NovitaServerError, Blame.UPSTREAM, False, ""
    return NotFound, Blame.OFFER, True, ""


def _meant(meaning: Meaning, kind: CallKind) -> _Verdict:
    """Known meanings are certain that nothing was done, except OTHER, and STATE for a create."""
    is_certain = meaning is not OTHER and not (meaning is STATE and kind is CallKind.CREATE)
    return meaning.kind, meaning.blame, is_certain, meaning.note


def _by_status(status: int, key: str, message: str, kind: CallKind) -> _Verdict:
    """By status only, if reason and message are unknown: never final for a write."""
    if status == 429:
        return _meant(RATE, kind)
    if status in (401, 403):
        return _meant(KEY, kind)
    if status == 402:
        return _meant(BALANCE, kind)
    is_conflict = status == 409 or key == "CONFLICT"
    if is_conflict and kind in (CallKind.VERB, CallKind.DELETE):
        return _meant(STATE, kind)
    is_failure = status >= 500 or status in _UNKNOWN_STATUSES or key in DOUBTFUL
    if is_failure or has_failed(message):
        return NovitaServerError, Blame.UPSTREAM, False, ""
    if status in (404, 410):
        return _bare_404(kind)
    error_type = InvalidRequest if status in (400, 422) else NovitaRefused
    return error_type, Blame.OFFER, False, ""


def _bare_404(kind: CallKind) -> _Verdict:
    if kind.is_about_an_instance:
        return InstanceNotFound, Blame.REQUEST, True, ""
    if kind is CallKind.TEMPLATE:
        return _meant(TEMPLATE, kind)
    # Novita's lists are never "not found"; a route at a gateway may be.
    return (EdgeAnswered, Blame.UPSTREAM, False, "") if kind is CallKind.LIST else _doubtful_404()


def _doubtful_404() -> _Verdict:
    return NotFound, Blame.OFFER, False, ""
