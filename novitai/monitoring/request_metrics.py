"""Request metrics under the names of django-prometheus, so that its dashboards work.

django-prometheus writes sixteen metrics for each request (transport, character set, body size and
more), and each is a write to a shared file. Here are only those that are used: number by status,
route and method, and duration.
"""

import time
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_prometheus.conf import NAMESPACE, PROMETHEUS_LATENCY_BUCKETS
from prometheus_client import Counter, Histogram

_METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH")
)
_latency = Histogram(
    "django_http_requests_latency_including_middlewares_seconds",
    "Seconds between a request and its answer.",
    namespace=NAMESPACE,
    buckets=PROMETHEUS_LATENCY_BUCKETS,
)
_latency_of_view = Histogram(
    "django_http_requests_latency_seconds_by_view_method",
    "The same by route and method.",
    ["view", "method"],
    namespace=NAMESPACE,
    buckets=PROMETHEUS_LATENCY_BUCKETS,
)
_by_status = Counter(
    "django_http_responses_total_by_status", "Answers by status.", ["status"], namespace=NAMESPACE
)
_by_status_view_method = Counter(
    "django_http_responses_total_by_status_view_method",
    "Answers by status, route and method.",
    ["status", "view", "method"],
    namespace=NAMESPACE,
)
_exceptions = Counter(
    "django_http_exceptions_total_by_type",
    "Unhandled exceptions of views, by class.",
    ["type"],
    namespace=NAMESPACE,
)


class RequestMetricsMiddleware:
    """Counts all answers, also those of middlewares. Routes and known methods bound the number of
    series.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - started
        status, view, method = str(response.status_code), _view(request), _method(request)
        _latency.observe(seconds)
        _latency_of_view.labels(view, method).observe(seconds)
        _by_status.labels(status).inc()
        _by_status_view_method.labels(status, view, method).inc()
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Django's hook for exceptions of views; the error handler answers."""
        _exceptions.labels(type(exception).__name__).inc()


def _view(request: HttpRequest) -> str:
    match = request.resolver_match
    return (match.view_name if match is not None else None) or "<unnamed view>"


def _method(request: HttpRequest) -> str:
    return request.method if request.method in _METHODS else "<invalid method>"
