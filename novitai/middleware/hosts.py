"""Which Host headers are accepted, including names that Django itself does not accept."""

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]

# kubelet and load balancers send probes with the IP address of a pod or machine as the host.
PROBES = ("/livez", "/readyz", "/health")
# Any registered name or IP literal (RFC 3986, 3.2.2), including the underscores of Docker's names.
_HOST = re.compile(r"([A-Za-z0-9._~%-]+|\[[A-Fa-f0-9:.]+(%[A-Za-z0-9._~%-]+)?\])(:[0-9]{1,5})?")


class HostMiddleware:
    """Must run before everything that reads the host. Probes are answered with any Host header,
    other requests with the names of ALLOWED_HOSTS, in every form that a host name can have.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        host = request.META.get("HTTP_HOST", "")
        if request.path_info in PROBES:
            request.get_host = lambda: "localhost"  # type: ignore[method-assign]
        elif _is_allowed(host) and not split_domain_port(host)[0]:
            # Django refuses names with underscores without looking at ALLOWED_HOSTS.
            request.get_host = lambda: host  # type: ignore[method-assign]
        return self.get_response(request)


def _is_allowed(host: str) -> bool:
    if not _HOST.fullmatch(host):
        return False
    name = re.sub(r":[0-9]+$", "", host).lower().removesuffix(".")
    return validate_host(name, settings.ALLOWED_HOSTS)
