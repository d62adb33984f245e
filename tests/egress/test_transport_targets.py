"""Whom a connection reaches: TLS names, guards on addresses, the next address."""

from __future__ import annotations

import socket

import pytest

from egress.errors import AddressRefused, TlsFailed
from egress.transport import Transport
from egress.webhooks.address_rules import refusal_reason
from tests.egress.exchanges import CAP, exchange
from tests.egress.raw_server import Peer, polite, serving
from tests.support.name_resolution import look_up, resolve_all_to_localhost, resolve_by


def test_tls_goes_to_the_name_whatever_the_address(certificate, monkeypatch):
    resolve_all_to_localhost(monkeypatch)
    transport = Transport(max_body_bytes=CAP, ca_bundle=certificate.path)
    with serving(polite, certificate.server_context) as server:
        url = f"https://hooks.test:{server.port}/"
        assert exchange(transport, url).status == 200
        assert exchange(transport, url).status == 200
        transport.close()
        assert server.accepted == 1
    assert f"Host: hooks.test:{server.port}".encode() in server.requests[0]


@pytest.mark.parametrize("host", ["other.test", "127.0.0.1"])
def test_a_certificate_for_another_host_is_refused_before_sending(certificate, monkeypatch, host):
    resolve_all_to_localhost(monkeypatch)
    transport = Transport(max_body_bytes=CAP, ca_bundle=certificate.path)
    with serving(polite, certificate.server_context) as server:
        with pytest.raises(TlsFailed) as caught:
            exchange(transport, f"https://{host}:{server.port}/")
        assert server.requests == []
    assert not caught.value.is_sent


def test_a_certificate_of_an_unknown_authority_is_refused(transport, certificate, monkeypatch):
    resolve_all_to_localhost(monkeypatch)
    with serving(polite, certificate.server_context) as server, pytest.raises(TlsFailed):
        exchange(transport, f"https://hooks.test:{server.port}/")


def test_plain_http_behind_an_https_url_is_a_tls_failure(transport):
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.hang()

    with serving(script) as server, pytest.raises(TlsFailed):
        exchange(transport, f"https://127.0.0.1:{server.port}/")


def test_a_guard_sees_the_address_and_can_refuse_it(transport):
    asked = []

    def guard(address: str) -> str | None:
        asked.append(address)
        return "not here"

    with serving(polite) as server:
        with pytest.raises(AddressRefused, match="not here"):
            exchange(transport, server.url, guard=guard, is_fresh=True)
        assert server.accepted == 0
    assert asked == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1"])
def test_a_guard_refuses_odd_spellings_by_the_address_that_they_mean(transport, host):
    with serving(polite) as server:
        url = f"http://{host}:{server.port}/"
        with pytest.raises(AddressRefused):
            exchange(transport, url, guard=refusal_reason, is_fresh=True)
        assert server.accepted == 0


def test_a_guard_on_pooled_connections_is_a_mistake_of_the_caller(transport):
    with pytest.raises(ValueError, match="fresh"):
        exchange(transport, "http://127.0.0.1:1/", guard=lambda _: None)


def test_the_next_address_is_tried_when_one_refuses(transport, monkeypatch):
    with serving(polite) as server, socket.create_server(("127.0.0.2", 0)) as other:
        closed = other.getsockname()[1]
        other.close()

        def two(host, port, *rest):
            return [
                *look_up("127.0.0.2", closed, *rest),
                *look_up("127.0.0.1", server.port, *rest),
            ]

        resolve_by(monkeypatch, two)
        assert exchange(transport, f"http://two.test:{server.port}/").status == 200
