"""Middlewares of every request: id, log line, security headers, header and body limits."""

import re
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.rest.throttling import write_headers
from core.client_addresses import client_address
from core.request_ids import request_id_from
from novitai.errors.pages import is_for_people
from novitai.errors.responses import error_response
from novitai.middleware.single_headers import is_joined_authorization, is_joined_type, refusal_text

logger = structlog.get_logger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase]
# Answers that end with their headers (RFC 9110, section 8.6).
_WITHOUT_BODY = (204, 304)
# Lowest status of an error answer.
_BAD = 400
_ROUTINE = ("/static/", "/livez", "/readyz", "/health")
_READING = ("GET", "HEAD", "OPTIONS")


class RequestIdMiddleware:
    """Sets the request id (``X-Request-ID`` of the client, if it is usable) for log lines and the
    answer, and adds the rate limit headers to every answer.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = request_id_from(request.headers.get("X-Request-ID"))
        request.request_id = request_id  # type: ignore[attr-defined]
        address = str(client_address(request) or "")
        with structlog.contextvars.bound_contextvars(request_id=request_id, address=address):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        write_headers(request, response)
        if response.status_code in _WITHOUT_BODY:
            # Django's CommonMiddleware sets 0, which is wrong for a 304 (RFC 9110, 8.6).
            del response.headers["Content-Length"]
        return response


class RequestLogMiddleware:
    """One line per request. The route, not the path: ids and query strings stay out of logs."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.monotonic()
        response = self.get_response(request)
        log = logger.debug if _is_routine(request, response) else logger.info
        log(
            "http_request",
            method=(request.method or "")[:20],
            route=_route(request),
            status=response.status_code,
            duration_ms=round((time.monotonic() - started) * 1000, 1),
            **_subject(request),
            **_caller(request),
        )
        return response


def _is_routine(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Successful probes and static files: they are frequent and of no interest in the log."""
    return response.status_code < _BAD and request.path.startswith(_ROUTINE)


def _subject(request: HttpRequest) -> dict[str, str]:
    """The id in the path, of an instance, a job or a key."""
    match = request.resolver_match
    named = match.kwargs.get("id") if match is not None else None
    return {"id": str(named)[:60]} if named is not None else {}


def _route(request: HttpRequest) -> str:
    match = request.resolver_match
    return match.route if match is not None else "unmatched"


def _caller(request: HttpRequest) -> dict[str, str]:
    """The actor for the log. REST framework stores the key here, and the admin its loaded user;
    ``request.user`` itself could cause a database query for a session.
    """
    api_key = getattr(request, "auth", None)
    if api_key is not None:
        return {"project": api_key.project.public_id, "api_key": api_key.public_id}
    session = getattr(request, "session", None)
    if session is None or not session.accessed or not is_for_people(request):
        return {}
    user = getattr(request, "user", None)
    return {"user": user.get_username()} if user is not None and user.is_authenticated else {}


_STRICT = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PAGES = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
# Swagger UI and Redoc style themselves from scripts, and Redoc searches in a worker of its own.
_DOCS = f"{_PAGES}; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:"
_POLICIES = (
    (re.compile(r"/api/(docs|redoc)(/|$)"), _DOCS),
    (re.compile(r"/(admin|static)(/|$)"), _PAGES),
)


class SecurityHeadersMiddleware:
    """Sets Content-Security-Policy and other security headers, and Cache-Control: no-store."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", _policy_for(request.path))
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # Static files have their own Cache-Control.
        response.headers.setdefault("Cache-Control", "no-store")
        if "Allow" in response.headers and not request.path.startswith("/admin"):
            response["Allow"] = _without_options(response["Allow"])
        return response


def _without_options(allow: str) -> str:
    """Removes OPTIONS from Allow: only CORS preflights are answered."""
    return ", ".join(name for name in allow.split(", ") if name != "OPTIONS")


def _policy_for(path: str) -> str:
    return next((policy for pattern, policy in _POLICIES if pattern.match(path)), _STRICT)


class SingleHeadersMiddleware:
    """400 where a header that must be single was joined from several on the way."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_joined_authorization(request.META.get("HTTP_AUTHORIZATION", "")):
            return error_response(request, "BAD_REQUEST", refusal_text("Authorization"))
        if request.method not in _READING and is_joined_type(request.META.get("CONTENT_TYPE", "")):
            return error_response(request, "BAD_REQUEST", refusal_text("Content-Type"))
        return self.get_response(request)


class BodyLimitMiddleware:
    """Refuses bodies over MAX_BODY_BYTES, and codings of the transfer that the server leaves alone.

    The web server has collected the body by now, or left it where its length is too much.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        limit = settings.CONFIG.max_body_bytes
        if _coding(request) not in ("", "identity", "chunked"):
            return error_response(request, "NOT_IMPLEMENTED")
        if _length(request) > limit:
            return error_response(request, "PAYLOAD_TOO_LARGE", _too_large(limit))
        return self.get_response(request)


def _coding(request: HttpRequest) -> str:
    """How the body was transferred; the server takes only chunks apart, whatever else is named."""
    return str(request.META.get("HTTP_TRANSFER_ENCODING", "")).strip().lower()


def _length(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() else 0


def _too_large(limit: int) -> str:
    return f"The request body is larger than {limit} bytes."
