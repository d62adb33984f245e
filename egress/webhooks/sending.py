"""Sends one webhook to an address that a customer chose; it cannot be diverted elsewhere.

The host is resolved here, and the checked address is the one connected to, on a new connection for
every attempt. So neither a redirect, nor a second DNS answer, nor a connection from an earlier,
less strict check can lead to an internal host. TLS name and Host header stay those of the URL.
Proxies of the environment are ignored: the check would see the proxy's address.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from egress import USER_AGENT
from egress.errors import AddressRefused, InvalidTarget, TransportError
from egress.exchange import Deadline
from egress.retry_after import parse_retry_after
from egress.transport import HttpRequest, HttpResponse, Transport
from egress.webhooks.address_rules import Network, refusal_reason
from egress.webhooks.targets import check_url

__all__ = ["DeliveryResult", "check_url", "deliver"]

MAX_BODY_BYTES = 65_536
_MAX_EXCERPT = 1000


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How one attempt ended.

    Only 2xx is delivered; a redirect is a failure. `is_permanent`: another attempt would end in the
    same way, since the receiver answered 410, or the URL leads to a refused address. `retry_after`
    is in seconds. `error` is for people and contains no query string, since that may contain
    tokens.
    """

    status_code: int | None
    is_delivered: bool
    retry_after: float | None
    error: str | None
    seconds: float
    is_permanent: bool = False
    response_excerpt: str = ""


@functools.cache
def shared_transport() -> Transport:
    """Shares the certificates, not connections: each delivery opens its own."""
    return Transport(max_body_bytes=MAX_BODY_BYTES, pool_size=1)


def deliver(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed_networks: Sequence[Network] = (),
    timeout_seconds: float = 15.0,
    transport: Transport | None = None,
) -> DeliveryResult:
    """POST the body once. Uses the network; network errors are returned, not raised.

    A 2xx counts as soon as its headers have arrived: a body that is slow, incomplete or endless is
    cut, since the receiver has accepted already.
    """
    started = time.monotonic()
    if reason := check_url(url, allowed_networks=allowed_networks):
        return _failure(reason, started, is_permanent=True)
    try:
        response = (transport or shared_transport()).exchange(
            HttpRequest("POST", url, _with_defaults(headers), body),
            Deadline(timeout_seconds),
            is_fresh=True,
            is_body_optional=True,
            guard=functools.partial(refusal_reason, allowed_networks=allowed_networks),
        )
    except (AddressRefused, InvalidTarget) as error:
        return _failure(str(error), started, is_permanent=True)
    except TransportError as error:
        return _failure(str(error), started)
    return _result(response, time.monotonic() - started)


def _with_defaults(headers: Mapping[str, str]) -> dict[str, str]:
    given = {name.lower(): value for name, value in headers.items()}
    # Host decides who gets the request behind a shared address; it is always the URL's.
    given.pop("host", None)
    return {"content-type": "application/json", "user-agent": USER_AGENT} | given


def _failure(error: str, started: float, *, is_permanent: bool = False) -> DeliveryResult:
    return DeliveryResult(
        status_code=None,
        is_delivered=False,
        retry_after=None,
        error=error,
        seconds=time.monotonic() - started,
        is_permanent=is_permanent,
    )


def _result(response: HttpResponse, seconds: float) -> DeliveryResult:
    status = response.status
    is_delivered = 200 <= status < 300
    retry_after = parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
    return DeliveryResult(
        status_code=status,
        is_delivered=is_delivered,
        retry_after=None if is_delivered else retry_after,
        error=None if is_delivered else _words(status),
        seconds=seconds,
        is_permanent=status == 410,
        response_excerpt=_excerpt(response.body),
    )


def _words(status: int) -> str:
    if 300 <= status < 400:
        return f"the endpoint answered {status}: redirects are not followed"
    if status == 410:
        return "the endpoint answered 410: it is gone"
    return f"the endpoint answered {status}"


def _excerpt(body: bytes) -> str:
    text = body[: 4 * _MAX_EXCERPT].decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)[:_MAX_EXCERPT]
