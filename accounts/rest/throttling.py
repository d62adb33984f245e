"""REST framework's throttle: checks a key's rate limit before a view runs."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.models import ApiKey
from accounts.rest import rate_limits
from accounts.rest.authentication import Caller
from accounts.rest.rate_limits import WINDOW_SECONDS, Verdict

if TYPE_CHECKING:
    # An import at run time would be circular: REST framework's views import this module.
    from rest_framework.views import APIView

_POLICY = "key"


class KeyRateThrottle(BaseThrottle):
    """Counts each request of a key against its limit. Requests without a key are refused before."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        caller = request.user
        if not isinstance(caller, Caller) or not (limit := limit_of(caller.api_key)):
            return True
        self.verdict = rate_limits.spend(caller.api_key.pk, limit)
        # The middleware writes the headers, also on errors.
        request._request.rate_verdict = self.verdict  # type: ignore[attr-defined]
        return self.verdict.is_allowed

    def wait(self) -> float | None:
        return float(self.verdict.retry_after)


def limit_of(api_key: ApiKey) -> int:
    """Requests a minute; 0: no limit."""
    own = api_key.rate_limit
    return int(settings.CONFIG.api_rate_limit if own is None else own)


def write_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """``RateLimit-Policy`` and ``RateLimit`` as in draft-ietf-httpapi-ratelimit-headers-11."""
    verdict: Verdict | None = getattr(request, "rate_verdict", None)
    if verdict is None:
        return
    response["RateLimit-Policy"] = f'"{_POLICY}";q={verdict.limit};w={WINDOW_SECONDS}'
    # t of a refused request: seconds until one is allowed again; else until the bucket is full.
    seconds = verdict.full_in if verdict.is_allowed else verdict.retry_after
    response["RateLimit"] = f'"{_POLICY}";r={verdict.remaining};t={seconds}'
