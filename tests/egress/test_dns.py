"""DNS: names that customers chose never take the places for the host that is ours to call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from egress.dns import resolve
from egress.errors import ExchangeTimeout
from egress.exchange import Deadline
from egress.transport import HttpRequest, Transport
from instances.monitoring.readiness import check
from tests.egress.raw_server import polite, serving
from tests.support.name_resolution import look_up, resolve_by

MANY = 100


@pytest.fixture
def silent_dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that answers for localhost only."""
    is_over = threading.Event()

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        if host.endswith(".silent.example"):
            is_over.wait(30)
        return look_up("127.0.0.1", *args, **kwargs)

    resolve_by(monkeypatch, getaddrinfo)
    yield
    is_over.set()


def is_unanswered(number: int, *, is_stranger: bool) -> bool:
    with pytest.raises(ExchangeTimeout):
        resolve(f"a{number}.silent.example", 80, Deadline(0.3), is_stranger=is_stranger)
    return True


def test_silent_names_of_customers_leave_places_for_ours(silent_dns: None) -> None:
    with ThreadPoolExecutor(MANY) as pool:
        assert all(pool.map(lambda n: is_unanswered(n, is_stranger=True), range(MANY)))
    assert resolve("ours.example", 80, Deadline(5), is_stranger=False)[0].ip == "127.0.0.1"
    transport = Transport(max_body_bytes=100)
    with serving(polite) as server:
        url = server.url
        assert transport.exchange(HttpRequest("GET", url, {}), Deadline(5)).status == 200
    request = HttpRequest("GET", "http://fine.example/", {})
    with pytest.raises(ExchangeTimeout):
        transport.exchange(request, Deadline(0.3), is_fresh=True, guard=lambda ip: None)
    probe = {"type": "tcp", "port": 80, "timeoutSeconds": 0.3}
    assert "no answer within" in check(probe, {80: "fine.example:80"})


def test_silent_names_of_ours_are_bounded_too(silent_dns: None) -> None:
    with ThreadPoolExecutor(MANY) as pool:
        assert all(pool.map(lambda n: is_unanswered(n, is_stranger=False), range(MANY)))
    lookups = [each for each in threading.enumerate() if each.name == "dns-lookup"]
    assert 0 < len(lookups) <= 64
