"""An egress proxy, as Smokescreen and others are used: it connects, and its no is final."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from egress.proxy import Proxy
from egress.transport import Transport
from egress.webhooks.sending import Failure, deliver
from tests.egress.raw_server import Peer, RawServer, polite, serving
from tests.support.name_resolution import resolve_by, resolve_nothing

OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"
SMOKESCREEN = (
    b"HTTP/1.1 407 Request rejected by proxy\r\nX-Smokescreen-Error: 10.1.2.3 is denied\r\n\r\n"
)


def relay(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # Whichever side closes first.
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def tunnelling(port: int, answer: bytes = OPEN) -> Callable[[Peer], None]:
    """A proxy that connects each tunnel to the port of this machine."""

    def script(peer: Peer) -> None:
        peer.read_request()
        with socket.create_connection(("127.0.0.1", port)) as target:
            peer.send(answer)
            back = threading.Thread(target=relay, args=(target, peer.sock))
            back.start()
            relay(peer.sock, target)
            back.join(10)

    return script


def answering(answer: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer)

    return script


@contextmanager
def proxied(script: Callable[[Peer], None], **options: Any) -> Iterator[tuple[RawServer, Any]]:
    """The proxy, and a function that sends to a URL through it."""
    with serving(script) as proxy:
        at = Proxy("127.0.0.1", proxy.port, options.pop("credentials", ""))
        transport = Transport(max_body_bytes=1000, proxy=at, **options)
        yield proxy, lambda url, **more: deliver(url, b"{}", {}, transport=transport, **more)


def test_https_goes_through_a_tunnel_and_proves_the_name_of_the_url(
    certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_nothing_but_addresses(monkeypatch)
    with (
        serving(polite, certificate.server_context) as server,
        proxied(tunnelling(server.port), ca_bundle=certificate.path) as (proxy, send),
    ):
        good = send("https://hooks.test/in")
        bad = send("https://other.test/in")
    assert (good.is_delivered, good.address) == (True, "")
    assert (bad.is_delivered, bad.failure) == (False, Failure.TEMPORARY)
    assert "TLS failed" in bad.error
    assert proxy.requests[0] == b"CONNECT hooks.test:443 HTTP/1.1\r\nHost: hooks.test:443\r\n\r\n"
    assert server.requests[0].startswith(b"POST /in HTTP/1.1\r\n")
    assert len(server.requests) == 1


def resolve_nothing_but_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def look_up(host: str, *rest: Any, **more: Any) -> Any:
        if host != "127.0.0.1":
            raise socket.gaierror("the proxy resolves names")
        return real(host, *rest, **more)

    resolve_by(monkeypatch, look_up)


def test_http_goes_through_a_tunnel_too(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_nothing_but_addresses(monkeypatch)
    with serving(polite) as server, proxied(tunnelling(server.port)) as (proxy, send):
        assert send("http://hooks.test/in").is_delivered
        assert send("http://[2600::1]:8080/in").is_delivered
    assert [request.split(b" ")[1] for request in proxy.requests] == [
        b"hooks.test:80",
        b"[2600::1]:8080",
    ]
    assert b"Host: hooks.test\r\n" in server.requests[0]


def test_credentials_go_to_the_proxy_alone() -> None:
    with (
        serving(polite) as server,
        proxied(tunnelling(server.port), credentials="user:se cret") as (proxy, send),
    ):
        assert send("http://hooks.test/in").is_delivered
    encoded = base64.b64encode(b"user:se cret")
    assert b"Proxy-Authorization: Basic " + encoded in proxy.requests[0]
    assert encoded not in server.requests[0]


@pytest.mark.parametrize(
    "answer", [SMOKESCREEN, b"HTTP/1.1 403 Forbidden\r\n\r\n", b"HTTP/1.0 407 Denied\r\n\r\n"]
)
def test_a_refusal_by_the_proxy_is_policy_and_tells_no_internal_address(answer: bytes) -> None:
    with proxied(answering(answer)) as (_, send):
        result = send("https://inside.test/in")
    assert (result.failure, result.is_permanent) == (Failure.POLICY, True)
    assert result.error == "the egress proxy does not allow this address"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\n\r\n", "refuses the credentials"),
        (b"HTTP/1.1 502 Bad gateway\r\n\r\n", "answered 502"),
        (b"HTTP/1.1 504 Gateway timeout\r\n\r\n", "answered 504"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "answered 100"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP proxy"),
        (b"HTTP/1.1 200 OK\r\n", "closed the connection"),
        (b"", "closed the connection"),
        (OPEN + b"HTTP/1.1 200 OK\r\n\r\n", "more than its answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000, "too long"),
    ],
)
def test_any_other_answer_of_the_proxy_may_pass(answer: bytes, words: str) -> None:
    with proxied(answering(answer), credentials="user:secret") as (proxy, send):
        result = send("https://hooks.test/in?token=hush")
    assert (result.failure, result.status_code) == (Failure.TEMPORARY, None)
    assert words in result.error
    for hidden in ("secret", "hush", str(proxy.port)):
        assert hidden not in result.error


def test_a_proxy_that_is_silent_costs_no_more_than_the_deadline() -> None:
    with proxied(lambda peer: peer.hang()) as (_, send):
        result = send("https://hooks.test/in", timeout_seconds=0.2)
    assert result.failure == Failure.TEMPORARY
    assert "no answer within 0.2 s" in result.error


def test_a_proxy_that_is_not_there_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    transport = Transport(max_body_bytes=1000, proxy=Proxy("127.0.0.1", port))
    result = deliver("https://hooks.test/in", b"{}", {}, transport=transport)
    assert result.error == "the egress proxy cannot be reached"
    resolve_nothing(monkeypatch)
    transport = Transport(max_body_bytes=1000, proxy=Proxy("proxy.internal", 4750))
    result = deliver("https://hooks.test/in", b"{}", {}, transport=transport)
    assert result.error == "the egress proxy cannot be reached"
    assert result.failure == Failure.TEMPORARY


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "https://10.0.0.1/", "https://0x7f.1/"])
def test_a_private_address_in_the_url_does_not_even_reach_the_proxy(url: str) -> None:
    with proxied(answering(OPEN)) as (proxy, send):
        assert send(url).failure == Failure.POLICY
        assert proxy.accepted == 0


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy:4750", Proxy("proxy", 4750)),
        ("http://user:p%40ss@10.0.0.1:4750/", Proxy("10.0.0.1", 4750, "user:p@ss")),
        ("http://token@[::1]:80", Proxy("::1", 80, "token:")),
    ],
)
def test_a_proxy_is_read_from_a_url(url: str, proxy: Proxy) -> None:
    assert Proxy.from_url(url) == proxy


@pytest.mark.parametrize(
    "url",
    [
        *("proxy:4750", "https://proxy:4750", "socks5://proxy:1", "http://proxy", "http://:80"),
        *("http://proxy:99999", "http://proxy:80/x", "http://proxy:80?x", "http://[::1"),
        *("http://us%3Aer:p@proxy:80", "http://user:p%0d%0aX@proxy:80", "http://pro xy:80"),
    ],
)
def test_any_other_url_of_a_proxy_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        Proxy.from_url(url)
    assert url not in str(caught.value)


def test_credentials_are_never_printed() -> None:
    assert "secret" not in repr(Proxy.from_url("http://user:secret@proxy:4750"))
