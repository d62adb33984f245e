"""The one error format (``answers.ErrorResponse``), whoever refuses a request: REST framework,
Django or a middleware. The codes are in ``codes``.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.views import set_rollback

from core.database.failures import TROUBLE as DATABASE_DOWN
from core.database.failures import Cause, cause_of, words_of
from core.request_ids import request_id_of
from novitai.errors.answers import ErrorDetail, ErrorResponse
from novitai.errors.codes import CODES
from novitai.errors.messages import message_of
from novitai.errors.pages import error_page, is_for_people
from novitai.errors.validation import validation_entries

logger = structlog.get_logger(__name__)

_OF_STATUS = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    409: "CONFLICT",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMIT_EXCEEDED",
    503: "SERVICE_UNAVAILABLE",
}
_WRONG_HOST = "The Host header is not a host name of this service (ALLOWED_HOSTS)."
RETRY_AFTER_SECONDS = 5


def error_body(
    request: HttpRequest | None,
    code: str,
    message: str = "",
    *,
    details: Any = None,
    entries: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """The body of an error answer. ``message``: default is the message of the code."""
    error: dict[str, Any] = {
        "code": code,
        "message": message or CODES[code].message,
        "retryable": CODES[code].retryable,
        "timestamp": datetime.now(UTC),
        "requestId": request_id_of(request),
    }
    if suggestion := CODES[code].suggestion:
        error["suggestion"] = suggestion
    if details is not None:
        error["details"] = details
    if entries is not None:
        error["validationErrors"] = entries
    return ErrorResponse(error=ErrorDetail(**error)).as_json()


def error_response(
    request: HttpRequest | None, code: str, message: str = "", *, details: Any = None
) -> HttpResponse:
    """An answer with the status of the code: an HTML page in the admin, JSON elsewhere."""
    if request is not None and is_for_people(request):
        response = error_page(request, code, message)
    else:
        response = json_response(request, code, message, details=details)
    if code == "SERVICE_UNAVAILABLE":
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def json_response(
    request: HttpRequest | None, code: str, message: str = "", *, details: Any = None
) -> HttpResponse:
    """The answer in JSON, for any path."""
    body = error_body(request, code, message, details=details)
    return _answer(body, CODES[code].status)


def error_json(body: dict[str, Any]) -> bytes:
    """The body serialized by REST framework's renderer, as all other answers are."""
    return bytes(JSONRenderer().render(body))


def _answer(
    body: dict[str, Any], status: int, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Always JSON, independent of the view's renderers and of the Accept header."""
    return HttpResponse(
        error_json(body), status=status, headers=headers, content_type="application/json"
    )


def exception_handler(exc: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """REST framework's hook. None: the exception is unexpected and goes to ``server_error``."""
    request = context["request"]
    exc = _as_api_exception(exc)
    if not isinstance(exc, exceptions.APIException):
        return None
    set_rollback()
    if isinstance(exc, DatabaseDown):
        return exc.answer(request)
    code = _code_of(exc)
    if isinstance(exc, exceptions.ValidationError):
        body = error_body(request, code, entries=validation_entries(exc.detail, request))
    else:
        body = error_body(request, code, message_of(exc, context))
    return _answer(body, exc.status_code, _headers_of(exc))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a wrong Host header, a malformed form, a suspicious path."""
    is_host = isinstance(exception, DisallowedHost)
    return error_response(request, "BAD_REQUEST", _WRONG_HOST if is_host else "")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return error_response(request, "FORBIDDEN")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404: no route matches."""
    return error_response(request, "NOT_FOUND")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW: a form of the admin was sent without a valid token."""
    return error_response(request, "FORBIDDEN", _why_no_form(request, reason))


def _why_no_form(request: HttpRequest, reason: str) -> str:
    """The message; for a mistake of the deployment it names the setting that corrects it."""
    if reason.startswith(("Origin", "Referer")):
        seen = f"{request.scheme}://{request.get_host()}"
        return (
            f"The origin sent by the browser differs from the address of this request, {seen}. "
            f"{_scheme_header(request)} "
            "Behind a proxy with TLS, the proxy must send X-Forwarded-Proto, its address must be "
            "in FORWARDED_ALLOW_IPS, and it must pass on the Host header. Or add the address that "
            "the browser shows to CSRF_TRUSTED_ORIGINS (https://gpu.example.com)."
        )
    if "cookie" in reason and settings.CSRF_COOKIE_SECURE and not request.is_secure():
        return (
            "The browser sent no cookie: in production cookies are sent over https only. Open the "
            "admin with https. If you did, the proxy must send X-Forwarded-Proto and its address "
            f"must be in FORWARDED_ALLOW_IPS. {_scheme_header(request)}"
        )
    return "The form has expired. Reload the page and send the form again."


def _scheme_header(request: HttpRequest) -> str:
    """A sentence on the request's X-Forwarded-Proto; the web server accepts only ``https``."""
    value = request.headers.get("X-Forwarded-Proto")
    if value is None:
        return "The request has no X-Forwarded-Proto header."
    return (
        f"The request has X-Forwarded-Proto: {value[:40]!a}; only the value https in lower case "
        "counts, and only from an address in FORWARDED_ALLOW_IPS."
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500, called while the exception is being handled.

    The traceback goes to the log; the client gets the request id, which finds it there.
    """
    exc = sys.exc_info()[1]
    if isinstance(exc, DATABASE_DOWN):
        return DatabaseDown(exc).answer(request)
    logger.error("unhandled_exception", exc_info=exc)
    return error_response(request, "INTERNAL_SERVER_ERROR")


class ServiceUnavailable(exceptions.APIException):
    """503: something that the answer needs is down; the request may succeed later."""

    status_code = 503
    default_detail = CODES["SERVICE_UNAVAILABLE"].message
    default_code = "SERVICE_UNAVAILABLE"
    wait = RETRY_AFTER_SECONDS


class DatabaseDown(ServiceUnavailable):
    """503: the database cannot be used now.

    ``core.database.state`` logs the cause once, when it begins. A statement that waited too long
    is logged here, each time.
    """

    def __init__(self, error: Exception) -> None:
        self.cause = cause_of(error) or Cause.FAILED
        super().__init__(f"{words_of(self.cause)} Please retry.")
        if self.cause is Cause.BUSY:
            logger.warning("database_busy", error=" ".join(str(error).split())[:300])

    def answer(self, request: HttpRequest | None) -> HttpResponse:
        """The 503 with the cause in ``details``, for programs."""
        details = {"cause": self.cause.value}
        return error_response(request, "SERVICE_UNAVAILABLE", str(self.detail), details=details)


def _as_api_exception(exc: Exception) -> Exception:
    if isinstance(exc, Http404):
        return exceptions.NotFound()
    if isinstance(exc, PermissionDenied):
        return exceptions.PermissionDenied(CODES["FORBIDDEN"].message)
    return DatabaseDown(exc) if isinstance(exc, DATABASE_DOWN) else exc


def _code_of(exc: exceptions.APIException) -> str:
    """The code that the exception carries, if it is in CODES; else the code of its status."""
    if isinstance(exc, exceptions.ValidationError):
        return "VALIDATION_ERROR"
    own = getattr(exc.detail, "code", "")
    return own if own in CODES else _OF_STATUS.get(exc.status_code, "INTERNAL_SERVER_ERROR")


def _headers_of(exc: exceptions.APIException) -> dict[str, str]:
    headers = dict(getattr(exc, "headers", {}))
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers
