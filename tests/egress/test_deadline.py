"""The deadline is over everything. Each server here sends often enough to please a read timeout."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from egress.errors import ExchangeTimeout, NameNotResolved
from egress.exchange import Deadline
from egress.transport import HttpRequest, Transport
from tests.egress.raw_server import Peer, polite, serving
from tests.support.name_resolution import resolve_all_to_localhost, resolve_by, resolve_nothing

SHORT = 1.5  # seconds; connecting and sending must fit into it on a machine that is busy elsewhere
LONG_TEXT = b"x" * 1_000  # 20 seconds of dripping


@pytest.fixture(scope="module")
def transport():
    transport = Transport(max_body_bytes=100_000)
    yield transport
    transport.close()


def exchange(transport, url, *, seconds=SHORT, method="GET", body=None, **options):
    return transport.exchange(HttpRequest(method, url, {}, body), Deadline(seconds), **options)


def drip_headers(peer: Peer) -> None:
    peer.read_request()
    peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + LONG_TEXT)


def drip_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n")
    peer.drip(LONG_TEXT)


def drip_chunks(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.drip(b"1\r\nx\r\n" * 100)


def drip_continues(peer: Peer) -> None:
    peer.read_request()
    peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 20)


def stay_silent(peer: Peer) -> None:
    peer.hang()


@pytest.mark.parametrize(
    "script", [drip_headers, drip_body, drip_chunks, drip_continues, stay_silent]
)
def test_a_server_that_drips_is_cut_off_at_the_deadline(transport, script):
    with serving(script) as server, pytest.raises(ExchangeTimeout) as caught:
        exchange(transport, server.url)
    assert caught.value.is_sent


@pytest.mark.parametrize("script", [drip_headers, drip_body])
def test_a_reused_connection_is_under_the_new_exchange_s_deadline(transport, script):
    def first_polite_then_dripping(peer: Peer) -> None:
        peer.read_request()
        peer.answer()
        script(peer)

    with serving(first_polite_then_dripping) as server:
        exchange(transport, server.url, seconds=5)
        with pytest.raises(ExchangeTimeout):
            exchange(transport, server.url)
        assert server.accepted == 1


def test_a_server_that_never_reads_a_large_request_is_cut_off(transport):
    with serving(stay_silent) as server, pytest.raises(ExchangeTimeout) as caught:
        exchange(transport, server.url, method="POST", body=b"x" * 30_000_000)
    assert caught.value.is_sent


def test_a_tls_handshake_that_never_ends_is_cut_off_before_anything_was_sent(transport):
    with serving(stay_silent) as server, pytest.raises(ExchangeTimeout) as caught:
        exchange(transport, server.url.replace("http:", "https:"))
    assert not caught.value.is_sent


def test_dripping_through_tls_is_cut_off(certificate, monkeypatch):
    resolve_all_to_localhost(monkeypatch)
    transport = Transport(max_body_bytes=1000, ca_bundle=certificate.path)
    with (
        serving(drip_body, certificate.server_context) as server,
        pytest.raises(ExchangeTimeout) as caught,
    ):
        exchange(transport, f"https://hooks.test:{server.port}/", is_fresh=True)
    assert caught.value.is_sent


def test_dns_that_never_answers_is_cut_off_and_its_thread_ends(transport, monkeypatch):
    release = threading.Event()

    def hang(*args):
        release.wait(10)
        raise socket.gaierror("too late")

    resolve_by(monkeypatch, hang)
    with pytest.raises(ExchangeTimeout) as caught:
        exchange(transport, "http://slow.test/")
    assert not caught.value.is_sent
    release.set()
    until(lambda: not any(t.name == "dns-lookup" for t in threading.enumerate()))


def test_a_name_without_an_address_is_told_apart(transport, monkeypatch):
    resolve_nothing(monkeypatch)
    with pytest.raises(NameNotResolved, match=r"nowhere\.test") as caught:
        exchange(transport, "http://nowhere.test/")
    assert not caught.value.is_sent


def test_lookups_that_cannot_start_do_not_use_up_the_places_for_lookups(transport, monkeypatch):
    def no_thread(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        for _ in range(100):
            with pytest.raises(NameNotResolved, match="no thread"):
                exchange(transport, "http://any.test/", seconds=1)
    resolve_all_to_localhost(monkeypatch)
    with serving(polite) as server:
        assert exchange(transport, f"http://any.test:{server.port}/", seconds=5).status == 200


def test_a_deadline_that_is_over_touches_no_network(transport):
    with serving(stay_silent) as server:
        with pytest.raises(ExchangeTimeout) as caught:
            exchange(transport, server.url, seconds=0)
        assert server.accepted == 0
    assert not caught.value.is_sent


def test_an_optional_body_that_drips_is_cut_and_the_status_stands(transport):
    with serving(drip_body) as server:
        response = exchange(transport, server.url, is_body_optional=True)
    assert (response.status, response.is_truncated) == (200, True)


def test_timeouts_leave_no_threads_behind(transport):
    before = threading.active_count()
    with serving(drip_headers) as server:
        for _ in range(3):
            with pytest.raises(ExchangeTimeout):
                exchange(transport, server.url, seconds=0.05)
    until(lambda: threading.active_count() <= before)


def until(condition):
    ends = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < ends, "the condition never came true"
        time.sleep(0.005)
