"""Runs a readiness probe: one HTTP request or one TCP connection to a port of the instance.

The address comes from Novita and is checked before connecting (``egress.webhooks.address_rules``).
Only the status of the answer is used. Uses the network; network errors do not raise.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from egress import USER_AGENT
from egress.errors import TransportError
from egress.exchange import Deadline, Guard
from egress.network import open_socket
from egress.transport import HttpRequest
from egress.webhooks.address_rules import Network, refusal_reason
from egress.webhooks.sending import shared_transport
from egress.webhooks.targets import check_url

DEFAULT_TIMEOUT_SECONDS = 5


def check(
    probe: Mapping[str, Any],
    addresses: Mapping[int, str],
    *,
    allowed_networks: Sequence[Network] = (),
) -> str:
    """Why the instance is not ready, as a sentence for its owner; "" if the probe passes.

    ``probe``: the request's ``readinessProbe``. ``addresses``: published URL or host:port by port.
    """
    port = probe["port"]
    address = addresses.get(port, "")
    if not address:
        return f"port {port} is not published"
    deadline = Deadline(probe.get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS))
    guard = functools.partial(refusal_reason, allowed_networks=allowed_networks)
    try:
        if probe["type"] == "tcp":
            return _connect(address, deadline, guard)
        return _ask(address, probe, deadline, guard, allowed_networks)
    except TransportError as error:
        return f"port {port}: {error}"


def _ask(
    address: str,
    probe: Mapping[str, Any],
    deadline: Deadline,
    guard: Guard,
    allowed_networks: Sequence[Network],
) -> str:
    url = (address if "://" in address else f"http://{address}").rstrip("/") + probe["path"]
    if reason := check_url(url, allowed_networks=allowed_networks):
        return reason
    response = shared_transport().exchange(
        HttpRequest("GET", url, {"user-agent": USER_AGENT}),
        deadline,
        is_fresh=True,
        is_body_optional=True,
        guard=guard,
    )
    expected = probe.get("expectedStatus", 200)
    if response.status == expected:
        return ""
    return f"port {probe['port']} answered {response.status}, not {expected}"


def _connect(address: str, deadline: Deadline, guard: Guard) -> str:
    """Connect to the first address that accepts; sends nothing."""
    host, port = _host_and_port(address)
    if not host:
        return "Novita publishes an address that cannot be read"
    open_socket(host, port, deadline, guard).close()
    return ""


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address if "://" in address else f"tcp://{address}")
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return "", 0
    return (parts.hostname or "", port) if port else ("", 0)
