"""Access to the admin by ADMIN_ENABLED, ADMIN_HOSTS and ADMIN_NETWORKS."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase

from core.client_addresses import client_address, is_within
from novitai.errors.responses import json_response


class AdminDoorMiddleware:
    """Answers 404 to hosts and addresses that may not open the admin, before a session is read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if _is_admin(request.path_info) and not _is_open(request):
            # The 404 of any unknown path, so that the answer does not show that an admin exists.
            return json_response(request, "NOT_FOUND")
        return self.get_response(request)


def _is_admin(path: str) -> bool:
    return path == "/admin" or path.startswith("/admin/")


def _is_open(request: HttpRequest) -> bool:
    config = settings.CONFIG
    if not config.admin_enabled:
        return False
    if config.admin_hosts and not _is_host(request, config.admin_hosts):
        return False
    return not config.admin_networks or is_within(client_address(request), config.admin_networks)


def _is_host(request: HttpRequest, hosts: tuple[str, ...]) -> bool:
    """Whether the request's host may open the admin. Raises DisallowedHost for a wrong Host."""
    host, _ = split_domain_port(request.get_host())
    return validate_host(host, list(hosts))
