"""One call to Novita: budget, headers, deadline, error, record. The endpoints are in `client`."""

from __future__ import annotations

import functools
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from egress import USER_AGENT
from egress.errors import (
    BodyTooLarge,
    BrokenResponse,
    ExchangeTimeout,
    InvalidTarget,
    TransportError,
)
from egress.retry_after import parse_retry_after
from egress.transport import Transport
from upstream.adapter import DeadlineAdapter
from upstream.answers.consequences import CallKind
from upstream.answers.errors_in_success import hidden_error
from upstream.answers.speaker import Spoken, edge_words, listen
from upstream.answers.verdict import edge_text, error_of
from upstream.call_records import CallBudget, CallRecord, outcome_of
from upstream.errors import (
    EdgeAnswered,
    NovitaConnectionError,
    NovitaError,
    NovitaProtocolError,
    NovitaTimeout,
    Source,
    clean_text,
)
from upstream.values import parse_json
from upstream.vocabulary import UnknownValue

T = TypeVar("T")
# The answers to these calls are not documented and may be empty.
_ANSWERED_WITHOUT_WORDS = (CallKind.VERB, CallKind.DELETE)
# Seconds. A longer Retry-After is a wrong date or a page's cache time, and is ignored.
_LONGEST_PACE = 3600.0
MAX_BODY_BYTES = 10_000_000
_HEADER_VALUE = re.compile(r"[!-~]{1,255}")


@functools.cache
def shared_transport() -> Transport:
    """Connection pool of the process; clients are cheap and are made for each job."""
    return Transport(max_body_bytes=MAX_BODY_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to make. `secrets` are removed from error texts; `url` replaces base URL and path."""

    endpoint: str
    path: str
    params: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    kind: CallKind = CallKind.LIST
    is_fresh: bool = False
    timeout_seconds: float | None = None
    secrets: tuple[str, ...] = ()
    url: str | None = None
    # Filled while the answer is parsed.
    unknown_values: list[UnknownValue] = field(default_factory=list, compare=False)

    @property
    def is_read(self) -> bool:
        return self.kind.is_read


class Caller:
    """Thread-safe. Follows no redirect, uses no proxy and no .netrc: the key goes to one host."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_seconds: float,
        budget: CallBudget | None,
        request_id: str | None,
        transport: Transport | None,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        if not _HEADER_VALUE.fullmatch(api_key):
            raise ValueError("the API key is empty or has characters that are not allowed in a key")
        self._api_key = api_key
        self.timeout_seconds = timeout_seconds
        self.budget = budget
        self.calls: list[CallRecord] = []
        self._calls_lock = threading.Lock()
        self._adapter = DeadlineAdapter(transport or shared_transport())
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": USER_AGENT,
        }
        if request_id and _HEADER_VALUE.fullmatch(request_id):
            self._headers["X-Request-Id"] = request_id

    def fetch(self, call: Call, parse: Callable[[Any], T]) -> T:
        """The result of `parse` for the JSON of a 2xx, or for None if the body is empty.

        Uses the network. Raises NovitaError; if `parse` raises it for an answer of the wrong shape,
        the record shows a failed call.
        """
        if self.budget is not None:
            self.budget.take()
        started = time.monotonic()
        status: int | None = None
        error: NovitaError | None = None
        try:
            response = self._exchange(call)
            status = response.status_code
            return parse(self._read(call, response))
        except NovitaError as caught:
            error = caught
            raise
        finally:
            self._record(call, time.monotonic() - started, status, error)

    def _record(
        self, call: Call, seconds: float, status: int | None, error: NovitaError | None
    ) -> None:
        record = CallRecord(
            endpoint=call.endpoint,
            outcome=outcome_of(error),
            seconds=seconds,
            status=status,
            counts_as_outage=error is not None and error.counts_as_outage,
            retry_after=error.retry_after if error else None,
            source=error.source if error else Source.NOVITA,
            reason=error.reason if error else "",
            text=str(error) if error else "",
            unknown_values=tuple(dict.fromkeys(call.unknown_values)),
        )
        with self._calls_lock:
            self.calls.append(record)

    def _exchange(self, call: Call) -> requests.Response:
        timeout_seconds = call.timeout_seconds or self.timeout_seconds
        try:
            return self._adapter.send(self._prepared(call), timeout=timeout_seconds)
        except TransportError as error:
            raise self._unavailable(call, error) from None

    def _prepared(self, call: Call) -> requests.PreparedRequest:
        request = requests.Request(
            method="GET" if call.is_read else "POST",
            url=call.url or f"{self.base_url}{call.path}",
            headers=self._headers | ({"Connection": "close"} if call.is_fresh else {}),
            data=None if call.body is None else json.dumps(call.body).encode(),
            params=call.params,
        )
        try:
            return request.prepare()
        except (requests.RequestException, ValueError):
            raise InvalidTarget("the URL is not valid") from None

    def _unavailable(self, call: Call, error: TransportError) -> NovitaError:
        is_unknown = error.is_sent and not call.is_read
        text = clean_text(f"{call.endpoint}: {error}", self._secrets(call))
        if isinstance(error, ExchangeTimeout):
            return NovitaTimeout(text, is_outcome_unknown=is_unknown)
        if isinstance(error, (BrokenResponse, BodyTooLarge)):
            return NovitaProtocolError(text, is_outcome_unknown=is_unknown, source=Source.EDGE)
        return NovitaConnectionError(text, is_sent=error.is_sent, is_outcome_unknown=is_unknown)

    def _read(self, call: Call, response: requests.Response) -> Any:
        status, body = response.status_code, response.content
        if not 200 <= status < 300:
            raise self._error(call, response, status, listen(status, body))
        if not body.strip():
            if call.kind in _ANSWERED_WITHOUT_WORDS:
                return None
            raise self._foreign(call, response)
        try:
            value = parse_json(body)
        except ValueError:
            raise self._foreign(call, response) from None
        if (hidden := hidden_error(value)) is not None:
            raise self._error(call, response, *hidden)
        return value

    def _foreign(self, call: Call, response: requests.Response) -> EdgeAnswered:
        """The error for a 2xx with a web page, a text or nothing instead of JSON."""
        words = edge_words(response.content)
        return EdgeAnswered(
            edge_text(f"answered {response.status_code} with {words}", self._secrets(call)),
            status=response.status_code,
            is_outcome_unknown=not call.is_read,
        )

    def _error(
        self, call: Call, response: requests.Response, status: int, spoken: Spoken
    ) -> NovitaError:
        told = parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
        return error_of(
            status,
            spoken,
            kind=call.kind,
            retry_after=told if told is not None and told <= _LONGEST_PACE else None,
            secrets=self._secrets(call),
        )

    def _secrets(self, call: Call) -> Iterable[str]:
        return (self._api_key, *call.secrets)


def checked_base_url(base_url: str) -> str:
    """The URL without a trailing slash; a path prefix stays. Raises ValueError."""
    url = base_url.strip()
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"the base URL must be http(s)://…, not {parts.scheme}://{parts.hostname or ''}"
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("the base URL must not have a user, query or fragment")
    return url.rstrip("/")
