"""Sends one webhook to an address that a customer chose; it cannot be diverted elsewhere.

The host is resolved here, and the checked address is the one connected to, on a new connection for
every attempt. So neither a redirect, nor a second DNS answer, nor a connection from an earlier,
less strict check can lead to an internal host. TLS name and Host header stay those of the URL.
Proxies of the environment are ignored: the check would see the proxy's address. With an egress
proxy of the settings, that proxy resolves the host and decides about its addresses instead; an
address written in the URL is still checked here.
"""

from __future__ import annotations

import codecs
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from egress import USER_AGENT
from egress.errors import (
    AddressRefused,
    CertificateRefused,
    InvalidTarget,
    ProxyRefused,
    TransportError,
)
from egress.exchange import Deadline
from egress.proxy import Proxy
from egress.retry_after import parse_retry_after
from egress.transport import HttpRequest, HttpResponse, Transport
from egress.webhooks.address_rules import Network, refusal_reason
from egress.webhooks.targets import check_url, find_fault

__all__ = ["DeliveryResult", "Failure", "check_url", "deliver"]

MAX_BODY_BYTES = 65_536
_EXCERPT_BYTES = 1000


class Failure(StrEnum):
    """Why a message was not delivered."""

    TEMPORARY = "temporary"  # Another attempt may succeed.
    PERMANENT = "permanent"  # The receiver answered 410, or the URL or a header is not valid.
    POLICY = "policy"  # The operator's rules forbid it: address, scheme, certificate, proxy.


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How one attempt ended.

    Only 2xx is delivered; a redirect is a failure. `is_permanent`: another attempt would end in the
    same way; `is_policy` if the operator's rules are the reason. `retry_after` is in seconds.
    `error` is for people and contains no query string, since that may contain tokens. `address` is
    what was connected to, as `192.0.2.1:443`; empty if nothing was, and behind a proxy.
    """

    status_code: int | None
    is_delivered: bool
    retry_after: float | None
    error: str | None
    seconds: float
    is_permanent: bool = False
    response_excerpt: str = ""
    is_policy: bool = False
    address: str = ""

    @property
    def failure(self) -> Failure | None:
        if self.is_delivered:
            return None
        if self.is_policy:
            return Failure.POLICY
        return Failure.PERMANENT if self.is_permanent else Failure.TEMPORARY

    @property
    def duration_ms(self) -> int:
        return round(self.seconds * 1000)


@functools.cache
def shared_transport(proxy: Proxy | None = None, more_authorities: str | None = None) -> Transport:
    """Shares the certificates, not connections: each delivery opens its own."""
    return Transport(
        max_body_bytes=MAX_BODY_BYTES,
        pool_size=1,
        proxy=proxy,
        more_authorities=more_authorities,
    )


def deliver(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed_networks: Sequence[Network] = (),
    https_only: bool = False,
    is_bad_certificate_final: bool = False,
    timeout_seconds: float = 15.0,
    excerpt_bytes: int = _EXCERPT_BYTES,
    transport: Transport | None = None,
) -> DeliveryResult:
    """POST the body once. Uses the network; network errors are returned, not raised.

    A 2xx counts as soon as its headers have arrived: a body that is slow, incomplete or endless is
    cut, since the receiver has accepted already. `excerpt_bytes`, at most 65,536, of the answer's
    body are kept. Raises ValueError for more.
    """
    if not 0 <= excerpt_bytes <= MAX_BODY_BYTES:
        raise ValueError(f"an excerpt has 0 to {MAX_BODY_BYTES} bytes")
    started = time.monotonic()
    if fault := find_fault(url, allowed_networks=allowed_networks, https_only=https_only):
        return _refused(fault.text, started, is_policy=fault.is_policy)
    try:
        response = (transport or shared_transport()).exchange(
            HttpRequest("POST", url, _with_defaults(headers), body),
            Deadline(timeout_seconds),
            is_fresh=True,
            is_body_optional=True,
            guard=functools.partial(refusal_reason, allowed_networks=allowed_networks),
        )
    except TransportError as error:
        return _failed(error, started, is_bad_certificate_final)
    return _result(response, time.monotonic() - started, excerpt_bytes)


def _with_defaults(headers: Mapping[str, str]) -> dict[str, str]:
    given = {name.lower(): value for name, value in headers.items()}
    # Host decides who gets the request behind a shared address; it is always the URL's.
    given.pop("host", None)
    return {"content-type": "application/json", "user-agent": USER_AGENT} | given


def _failed(
    error: TransportError, started: float, is_bad_certificate_final: bool
) -> DeliveryResult:
    is_policy = isinstance(error, (AddressRefused, ProxyRefused)) or (
        is_bad_certificate_final and isinstance(error, CertificateRefused)
    )
    if is_policy or isinstance(error, InvalidTarget):
        return _refused(str(error), started, is_policy=is_policy, address=error.address)
    return DeliveryResult(
        status_code=None,
        is_delivered=False,
        retry_after=None,
        error=str(error),
        seconds=time.monotonic() - started,
        address=error.address,
    )


def _refused(error: str, started: float, *, is_policy: bool, address: str = "") -> DeliveryResult:
    return DeliveryResult(
        status_code=None,
        is_delivered=False,
        retry_after=None,
        error=error,
        seconds=time.monotonic() - started,
        is_permanent=True,
        is_policy=is_policy,
        address=address,
    )


def _result(response: HttpResponse, seconds: float, excerpt_bytes: int) -> DeliveryResult:
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
        response_excerpt=_excerpt(response.body[:excerpt_bytes]),
        address=response.address,
    )


def _words(status: int) -> str:
    if 300 <= status < 400:
        return f"the endpoint answered {status}: redirects are not followed"
    if status == 410:
        return "the endpoint answered 410: it is gone"
    return f"the endpoint answered {status}"


def _excerpt(body: bytes) -> str:
    """Printable text. The incremental decoder leaves out a character that the cut has split."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(body)
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
