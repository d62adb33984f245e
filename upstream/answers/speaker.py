"""Decides whether an answer comes from Novita or from an edge in front of it.

Novita's error body is go-kratos': `{"code": 400, "reason": "WORD", "message": "text", "metadata":
{}}`. A reason identifies Novita. Without one, the answer is Novita's only if the message is about
its business ("resource insufficient with product 4090"), or has a code and no gateway writes such a
message.
"""

from __future__ import annotations

import http
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any

from upstream.answers.absence_words import Missing, what_is_missing
from upstream.answers.phrases import meaning_of
from upstream.answers.reasons import DOUBTFUL, INVALID, MEANINGS, MISSING, as_words, reason_key
from upstream.errors import Source
from upstream.values import integer, parse_json, word_set

_READ_LENGTH = 4000
_FOREIGN_JSON = "JSON that is not an error of Novita"
# Keys of other services' errors: AWS, Azure, GCP, Kubernetes, Apigee, APISIX, Huawei, Spring,
# NestJS, FastAPI, Cloudflare, RFC 9457.
_FOREIGN_KEYS = word_set(
    "error errors fault statuscode status_code detail details kind apiversion error_msg error_code"
    " errorcode errormessage error_message error_description cloudflare_error exception"
)
# Keys of other services that Novita may add to its own errors: they count only without a reason.
_SUSPICIOUS_KEYS = word_set(
    "timestamp path title type request_id requestid x-request-id status trace traceid"
)
# Messages of gateways, meshes, firewalls and web servers, in any format.
_OF_THE_WAY = re.compile(
    r"\bno route|route (?:was )?not|no healthy|\bupstream|gateway|\bproxy\b|\bbackend\b"
    r"|page not foun[dt]|cannot (?:get|post|put|delete) /"
    r"|\b(?:url|uri|path|endpoint|route|page)\b.*not (?:foun[dt]|exist)"
    r"|not foun[dt].*\b(?:url|uri|path|endpoint|route|page)\b"
    r"|access denied|request blocked|blocked by|firewall|\bwaf\b|rbac|captcha|just a moment"
    r"|no such (?:host|api|method)|\bdns\b|\b(?:api|method|operation) (?:does not|doesn't) exist"
    r"|method not (?:allowed|found)|missing authentication token|no api key found in request"
)
_STATUS_PHRASES = {status.value: status.phrase.lower() for status in http.HTTPStatus}
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"^\s*(?:<\?xml|<!|<[a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Spoken:
    """Words of an error answer, unchanged; for an edge, a description. May contain secrets."""

    source: Source
    reason: str = ""
    message: str = ""

    @property
    def is_novita(self) -> bool:
        return self.source is Source.NOVITA


def listen(status: int, body: bytes) -> Spoken:
    """Source and words of an error body. Never raises."""
    try:
        value = parse_json(body)
    except ValueError:
        return Spoken(Source.EDGE, message=_described(body))
    if not isinstance(value, dict):
        return Spoken(Source.EDGE, message=_described(body, is_json=True))
    return listen_to(status, value)


def listen_to(status: int, value: Mapping[str, Any]) -> Spoken:
    """As `listen`, for a JSON object."""
    reason, message = _string(value.get("reason")), _string(value.get("message"))
    if _is_novita(status, value, reason, message):
        return Spoken(Source.NOVITA, reason, message)
    return Spoken(Source.EDGE, message=_described_json(value))


def edge_words(body: bytes) -> str:
    """Description of an answer that is not Novita's: its kind and title. May contain secrets."""
    return _described(body)


def is_of_the_way(message: str, status: int | None = None) -> bool:
    """Whether a message is about routes, upstreams, pages or firewalls.

    With `status`, the phrase of that status ("Not Found" for 404) counts as well.
    """
    is_phrase = status is not None and _is_status_phrase(message, status)
    return is_phrase or _OF_THE_WAY.search(message.lower()) is not None


def _is_novita(status: int, value: Mapping[str, Any], reason: str, message: str) -> bool:
    keys, code = {str(key).lower() for key in value}, integer(value.get("code"))
    if keys & _FOREIGN_KEYS or (value.get("code") is not None and code is None):
        return False
    key = reason_key(reason)
    if key in MEANINGS:
        return True
    has_shape = "reason" in value and code is not None
    if is_of_the_way(as_words(reason)):
        return False
    if is_of_the_way(message, status) and meaning_of(message, is_server_error=False) is None:
        return has_shape and _is_status_phrase(message, status)
    if has_shape or key in MISSING or key in INVALID or key in DOUBTFUL:
        return True
    if keys & _SUSPICIOUS_KEYS:
        return False
    return bool(reason) or _is_trade(message) or _has_own_code(status, code, message)


def _has_own_code(status: int, code: int | None, message: str) -> bool:
    """`{"code": 400, "message": …}` is Novita's; with 404, 405 and 410, any router may say so."""
    return bool(message) and code == status and status not in (404, 405, 410)


def _is_status_phrase(message: str, status: int) -> bool:
    said = message.strip().rstrip(".!").lower().removeprefix("the ")
    return said.removeprefix(str(status)).strip() == _STATUS_PHRASES.get(status)


def _is_trade(message: str) -> bool:
    """Whether a message is about instances, templates, stock or money: gateways know none."""
    lowered, missing = message.lower(), what_is_missing(message)
    if missing is Missing.INSTANCE or "template" in lowered:
        return True
    if missing is Missing.UNNAMED and "record" in lowered:
        return True
    is_of_trade = re.search(
        r"instance|product|gpu|balance|rootfs|state change|api key|实例", lowered
    )
    return bool(is_of_trade) and meaning_of(message, is_server_error=False) is not None


def _described(body: bytes, *, is_json: bool = False) -> str:
    """May contain secrets: the caller, who knows them, removes them before the text is cut."""
    text = body[:_READ_LENGTH].decode("utf-8", "replace").strip()
    if not text:
        return "an empty answer"
    if is_json:
        return _FOREIGN_JSON
    if _MARKUP.search(text) or "<html" in text.lower():
        found = _TITLE.search(text)
        title = " ".join(unescape(found.group(1)).split()) if found else ""
        return f"an HTML page titled '{title}'" if title else "an HTML page"
    return f"text: '{text}'"


def _described_json(value: Mapping[str, Any]) -> str:
    for key in ("message", "error", "error_msg", "detail", "title", "Message", "msg"):
        found = _string(value.get(key))
        if found and not _MARKUP.search(found):
            return f"{_FOREIGN_JSON}: '{found[:_READ_LENGTH]}'"
    return _FOREIGN_JSON


def _string(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
