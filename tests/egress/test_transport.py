from __future__ import annotations

import gzip
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from egress.errors import (
    BodyTooLarge,
    BrokenResponse,
    ConnectFailed,
    ConnectionLost,
    InvalidTarget,
    TransportError,
)
from tests.egress.exchanges import CAP, answering, exchange
from tests.egress.raw_server import Peer, polite, serving


def test_it_sends_method_path_headers_and_body_and_reads_the_answer(transport):
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(b"hello", "201 Created", "X-Thing: 7\r\n")

    with serving(script) as server:
        response = exchange(
            transport, server.url + "/a?b=c", method="POST", headers={"X-Mine": "1"}, body=b"{}"
        )
    assert (response.status, response.body) == (201, b"hello")
    assert response.headers["x-thing"] == "7"
    sent = server.requests[0]
    assert sent.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"X-Mine: 1\r\n" in sent
    assert f"Host: 127.0.0.1:{server.port}".encode() in sent
    assert sent.endswith(b"\r\n\r\n{}")


def test_connections_are_reused(transport):
    with serving(polite) as server:
        for _ in range(3):
            exchange(transport, server.url)
        assert (server.accepted, len(server.requests)) == (1, 3)


def test_a_fresh_exchange_opens_and_closes_a_connection_of_its_own(transport):
    with serving(polite) as server:
        exchange(transport, server.url)
        exchange(transport, server.url, is_fresh=True)
        exchange(transport, server.url)
        assert server.accepted == 2


def test_after_a_fork_the_parent_s_connections_are_left_alone(transport, monkeypatch):
    with serving(polite) as server:
        exchange(transport, server.url)
        monkeypatch.setattr(os, "getpid", lambda: -1)
        exchange(transport, server.url)
        assert server.accepted == 2


def test_many_threads_share_one_transport(transport):
    with serving(polite) as server, ThreadPoolExecutor(8) as pool:
        statuses = pool.map(lambda _: exchange(transport, server.url).status, range(80))
        assert set(statuses) == {200}
        assert server.accepted <= 8


def test_no_thread_outlives_an_exchange(transport):
    with serving(polite) as server:
        exchange(transport, server.url)
        before = threading.active_count()
        for _ in range(20):
            exchange(transport, server.url)
        assert threading.active_count() <= before


def test_a_connection_closed_under_a_second_request_is_stale(transport):
    def close_on_second(peer: Peer) -> None:
        peer.read_request()
        peer.answer()
        peer.read_request()
        peer.reset()

    with serving(close_on_second) as server:
        exchange(transport, server.url)
        with pytest.raises(ConnectionLost) as caught:
            exchange(transport, server.url)
    assert caught.value.is_stale
    assert caught.value.is_sent


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"])
def test_a_reset_on_a_new_connection_is_not_stale(transport, sent):
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(sent)
        peer.reset()

    with serving(script) as server, pytest.raises(ConnectionLost) as caught:
        exchange(transport, server.url)
    assert not caught.value.is_stale


def test_a_reset_after_the_first_byte_on_a_reused_connection_is_not_stale(transport):
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer()
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal")

    with serving(script) as server:
        exchange(transport, server.url)
        with pytest.raises(ConnectionLost) as caught:
            exchange(transport, server.url)
    assert not caught.value.is_stale


def test_a_refused_connection_was_never_sent(transport):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectFailed, match="refused") as caught:
        exchange(transport, f"http://127.0.0.1:{port}/?token=hush")
    assert not caught.value.is_sent
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("garbage", [b"what?\r\n\r\n", b"\0\1\2\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http_is_a_broken_response(transport, garbage):
    with serving(answering(garbage)) as server, pytest.raises(BrokenResponse) as caught:
        exchange(transport, server.url + "?token=hush")
    assert caught.value.is_sent
    assert "hush" not in str(caught.value)


def test_broken_compression_is_a_broken_response(transport):
    data = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    with serving(answering(data)) as server, pytest.raises(BrokenResponse):
        exchange(transport, server.url)


def test_a_header_without_end_is_refused(transport):
    data = b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000
    with serving(answering(data)) as server, pytest.raises(TransportError):
        exchange(transport, server.url)


def body_of(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


def chunked_of(size: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n"


def bomb_of(size: int) -> bytes:
    packed = gzip.compress(b"\0" * size)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    return head % len(packed) + packed


@pytest.mark.parametrize("make", [body_of, chunked_of, bomb_of])
def test_a_body_beyond_the_cap_is_refused_compressed_or_not(transport, make):
    with serving(answering(make(CAP))) as server:
        assert len(exchange(transport, server.url).body) == CAP
    with serving(answering(make(CAP * 100))) as server, pytest.raises(BodyTooLarge):
        exchange(transport, server.url)


def test_an_optional_body_is_cut_at_the_cap(transport):
    with serving(answering(body_of(CAP * 100))) as server:
        response = exchange(transport, server.url, is_body_optional=True)
    assert (len(response.body), response.is_truncated) == (CAP, True)


def test_redirects_are_answers_and_cookies_are_forgotten(transport):
    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.answer(b"", "302 Found", "Location: /elsewhere\r\nSet-Cookie: a=b\r\n")

    with serving(script) as server:
        assert exchange(transport, server.url).status == 302
        exchange(transport, server.url)
        assert len(server.requests) == 2
    assert b"cookie" not in server.requests[1].lower()


def test_the_environment_s_proxies_and_netrc_are_ignored(transport, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(polite) as proxy, serving(polite) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        exchange(transport, server.url)
        assert proxy.accepted == 0
    assert b"authorization" not in server.requests[0].lower()


@pytest.mark.parametrize(
    "url", ["", "nothing", "http://", "http://[::1", "http://a b/", "ftp://x/"]
)
def test_a_url_without_a_target_is_invalid_and_never_sent(transport, url):
    with pytest.raises(ConnectFailed) as caught:
        exchange(transport, url)
    assert not caught.value.is_sent


@pytest.mark.parametrize("headers", [{"X": "a\r\nEvil: b"}, {"X": "\u2603"}, {"\u2603": "a"}])
def test_a_header_that_cannot_be_sent_is_refused_before_connecting(transport, headers):
    with serving(polite) as server:
        with pytest.raises(InvalidTarget):
            exchange(transport, server.url, headers=headers)
        assert server.accepted == 0


@pytest.mark.parametrize("url", ["http://[h.test/?token=hush", "http://h.test:hush/?token=hush"])
def test_a_library_s_error_text_with_the_url_in_it_is_not_passed_on(transport, url):
    with pytest.raises(TransportError) as caught:
        exchange(transport, url)
    assert "hush" not in str(caught.value)
    # The causes hold the request, and the request holds the key.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("rest", [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 20"])
def test_the_rest_of_an_answer_is_no_answer_to_the_next_request(transport, rest):
    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" + rest)

    with serving(script) as server:
        assert exchange(transport, server.url).body == b"{}"
        with pytest.raises((ConnectionLost, BrokenResponse)):
            exchange(transport, server.url)
