"""DNS: names that customers chose never take the places for the host that is ours to call, and
names whose servers are silent leave places for others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from egress import dns
from egress.dns import Places, resolve, site_of
from egress.errors import ExchangeTimeout, NameNotResolved
from egress.exchange import Deadline
from egress.transport import HttpRequest, Transport
from instances.monitoring.readiness import check
from tests.egress.raw_server import polite, serving
from tests.support.name_resolution import look_up, resolve_by

MANY = 100


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names that were looked up. A server answers at once, but never for *.silent*.example."""
    is_over = threading.Event()
    names: list[str] = []

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        names.append(host)
        if ".silent" in host:
            is_over.wait(30)
        return look_up("127.0.0.1", *args, **kwargs)

    # Places of their own, since the threads of silent look-ups stay until the end.
    monkeypatch.setattr(dns, "_ours", Places(16, most_per_site=16))
    monkeypatch.setattr(dns, "_strangers", Places(48, most_per_site=6, reserve=16))
    resolve_by(monkeypatch, getaddrinfo)
    yield names
    is_over.set()
    for thread in lookups():
        thread.join(10)


def lookups() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "dns-lookup"]


def is_unanswered(host: str, *, is_stranger: bool = True, seconds: float = 0.3) -> bool:
    with pytest.raises(ExchangeTimeout, match="no answer within"):
        resolve(host, 80, Deadline(seconds), is_stranger=is_stranger)
    return True


def all_unanswered(name: Callable[[int], str], *, is_stranger: bool = True) -> bool:
    with ThreadPoolExecutor(MANY) as pool:
        return all(pool.map(lambda n: is_unanswered(name(n), is_stranger=is_stranger), range(MANY)))


def ip_of(host: str, *, is_stranger: bool = True) -> str:
    return resolve(host, 80, Deadline(5), is_stranger=is_stranger)[0].ip


def test_silent_names_of_customers_leave_places_for_ours() -> None:
    """Each name in a site of its own: all 48 places of strangers are taken."""
    assert all_unanswered(lambda n: f"a.silent{n}.example")
    assert len(lookups()) == 48
    assert ip_of("ours.example", is_stranger=False) == "127.0.0.1"
    with serving(polite) as server:
        url = f"http://ours.example:{server.port}/"
        transport = Transport(max_body_bytes=100)
        assert transport.exchange(HttpRequest("GET", url, {}), Deadline(5)).status == 200
    request = HttpRequest("GET", "http://fine.example/", {})
    with pytest.raises(ExchangeTimeout):
        transport.exchange(request, Deadline(0.3), is_fresh=True, guard=lambda ip: None)
    probe = {"type": "tcp", "port": 80, "timeoutSeconds": 0.3}
    assert "no answer within" in check(probe, {80: "fine.example:80"})


def test_silent_names_of_ours_are_bounded_too() -> None:
    assert all_unanswered(lambda n: f"a{n}.silent.example", is_stranger=False)
    assert len(lookups()) == 16


def test_many_silent_names_of_one_site_leave_places_for_others() -> None:
    assert all_unanswered(lambda n: f"a{n}.silent.example")
    assert len(lookups()) == 6
    assert ip_of("fine.example") == "127.0.0.1"
    assert ip_of("a.other.example") == "127.0.0.1"


def test_a_site_that_holds_places_leaves_the_reserve_to_others() -> None:
    """Twenty sites with six names each would take all 48 places."""
    assert all_unanswered(lambda n: f"a{n}.silent{n % 20}.example")
    assert 32 <= len(lookups()) < 48
    assert ip_of("fine.example") == "127.0.0.1"


def test_one_silent_host_holds_two_places_at_most(asked: list[str]) -> None:
    host = "hooks.silent.example"
    assert all_unanswered(lambda n: host)
    assert asked == [host], "those who ask for the same host share one look-up"
    assert is_unanswered(host, seconds=1.1)
    assert all_unanswered(lambda n: host)
    assert asked == [host, host], "the first one was late, so there was a second, but no third"
    assert ip_of("fine.example") == "127.0.0.1"


def test_callers_get_the_answer_of_a_shared_look_up(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    is_answered, is_asked = threading.Event(), threading.Event()

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        is_asked.set()
        is_answered.wait(10)
        return look_up("127.0.0.1", *args, **kwargs)

    resolve_by(monkeypatch, getaddrinfo)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(ip_of, "slow.example") for _ in range(3)]
        assert is_asked.wait(10)
        is_answered.set()
        assert [each.result() for each in answers] == ["127.0.0.1"] * 3


def test_an_answer_is_used_by_those_only_who_asked_before_it(asked: list[str]) -> None:
    """Otherwise a second delivery could be checked against the addresses of the first."""
    for _ in range(300):
        assert ip_of("fine.example") == "127.0.0.1"
    assert len(asked) == 300


def test_addresses_need_no_place() -> None:
    assert all_unanswered(lambda n: f"a.silent{n}.example")
    assert ip_of("192.0.2.1") == "127.0.0.1"


def test_a_place_is_given_back(asked: list[str]) -> None:
    for number in range(MANY):
        assert ip_of(f"a{number}.example") == "127.0.0.1"
    assert len(asked) == MANY


def test_a_process_without_threads_says_so_and_keeps_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(NameNotResolved, match="no thread"):
            ip_of("fine.example")
    assert ip_of("fine.example") == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("example.com", "example.com"),
        ("a.b.Example.com.", "example.com"),
        ("a.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("a.example.de", "example.de"),
        ("localhost", "localhost"),
    ],
)
def test_hosts_of_one_domain_are_one_site(host: str, site: str) -> None:
    assert site_of(host) == site
