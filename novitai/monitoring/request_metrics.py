"""What is counted of every request, under django-prometheus' names, so that its dashboards fit.

django-prometheus counts each request sixteen times over (by transport, character set, body size and
more), and each count is a write to a file that all processes share. Here it is what is looked at:
how many, by status, route and method, and how long they took.
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
    "Seconds from a request to its answer.",
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
    "Exceptions that no view foresaw, by class.",
    ["type"],
    namespace=NAMESPACE,
)


class RequestMetricsMiddleware:
    """Counts answers, whoever gave them. A route and nine methods bound the number of series."""

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
        """Django's hook; somebody else answers."""
        _exceptions.labels(type(exception).__name__).inc()


def _view(request: HttpRequest) -> str:
    match = request.resolver_match
    return (match.view_name if match is not None else None) or "<unnamed view>"


def _method(request: HttpRequest) -> str:
    return request.method if request.method in _METHODS else "<invalid method>"
