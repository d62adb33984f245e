from __future__ import annotations

import gzip
import socket
from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egress.transport import Transport
from egress.webhooks.sending import Failure, deliver
from tests.egress.raw_server import Peer, polite, serving
from tests.support.name_resolution import look_up, resolve_by

LOCAL = [ip_network("127.0.0.0/8")]
BODY = b'{"type":"instance.ready"}'


def send(url: str, *, headers=None, allowed=LOCAL, seconds=5.0, **options):
    return deliver(
        url, BODY, headers or {}, allowed_networks=allowed, timeout_seconds=seconds, **options
    )


def answering(status: str, body: bytes = b"", headers: str = ""):
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(body, status, headers)

    return script


class Resolver:
    """Stands in for DNS: each name has answers for the first, second, ... lookup."""

    def __init__(self, monkeypatch, **names: list[list[str]]) -> None:
        self.names = {name.replace("_", "."): answers for name, answers in names.items()}
        self.asked: list[str] = []
        resolve_by(monkeypatch, self)

    def __call__(self, host, port, *rest):
        self.asked.append(host)
        answers = self.names.get(host)
        if answers is None:
            raise socket.gaierror("unknown")
        current = answers.pop(0) if len(answers) > 1 else answers[0]
        return [found for ip in current for found in look_up(ip, port, *rest)]


def test_it_posts_the_bytes_with_the_headers_and_closes():
    with serving(answering("200 OK", b"thanks")) as server:
        result = send(server.url + "/hook?x=1", headers={"webhook-id": "evt_1"})
    assert (result.is_delivered, result.status_code, result.error) == (True, 200, None)
    assert result.response_excerpt == "thanks"
    assert result.seconds >= 0
    request = server.requests[0]
    assert request.startswith(b"POST /hook?x=1 HTTP/1.1\r\n")
    assert b"webhook-id: evt_1\r\n" in request
    assert b"content-type: application/json\r\n" in request
    assert b"user-agent: novitai/" in request
    assert request.endswith(b"\r\n\r\n" + BODY)


def test_every_delivery_opens_a_connection_of_its_own():
    with serving(polite) as server:
        send(server.url)
        send(server.url)
        assert server.accepted == 2


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content"])
def test_any_2xx_is_delivered(status):
    with serving(answering(status)) as server:
        assert send(server.url).is_delivered


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 404, 409, 429, 500, 503])
def test_any_other_status_is_a_failure_that_may_pass(status):
    with serving(answering(f"{status} X")) as server:
        result = send(server.url)
    assert (result.is_delivered, result.is_permanent, result.status_code) == (False, False, status)
    assert str(status) in (result.error or "")


def test_410_is_permanent():
    with serving(answering("410 Gone")) as server:
        result = send(server.url)
    assert result.is_permanent
    assert not result.is_delivered


def test_redirects_are_not_followed():
    with serving(polite) as inside:
        script = answering("302 Found", b"", f"Location: {inside.url}/\r\n")
        with serving(script) as server:
            assert not send(server.url).is_delivered
        assert inside.accepted == 0


def test_retry_after_is_taken_from_failures_only():
    header = "Retry-After: 30\r\n"
    with serving(answering("503 X", b"", header)) as server:
        assert send(server.url).retry_after == 30.0
    with serving(answering("200 OK", b"", header)) as server:
        assert send(server.url).retry_after is None


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{}/", "http://127.1:{}/", "http://localhost:{}/", "http://[::1]:{}/"],
)
def test_nothing_local_is_connected_to_by_default(url):
    with serving(polite) as server:
        result = send(url.format(server.port), allowed=[])
        assert server.accepted == 0
    assert not result.is_delivered
    assert "private" in (result.error or "")


@pytest.mark.parametrize(
    "ip", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
)
def test_a_name_that_resolves_inside_is_refused_and_keeps_the_address_secret(monkeypatch, ip):
    Resolver(monkeypatch, inside_test=[[ip]])
    with serving(polite) as server:
        result = send(f"http://inside.test:{server.port}/?token=hush", allowed=[])
        assert server.accepted == 0
    assert "inside.test" in (result.error or "")
    assert ip not in (result.error or "")
    assert "hush" not in (result.error or "")


def test_of_mixed_addresses_only_the_allowed_are_connected_to(monkeypatch):
    Resolver(monkeypatch, mixed_test=[["127.0.0.2", "127.0.0.1"]])
    only = [ip_network("127.0.0.1/32")]
    with serving(polite) as server, socket.create_server(("127.0.0.2", server.port)) as trap:
        assert send(f"http://mixed.test:{server.port}/", allowed=only).is_delivered
        trap.settimeout(0)
        with pytest.raises(BlockingIOError):
            trap.accept()


def test_a_name_is_looked_up_once_and_connected_to_where_it_was_checked(monkeypatch):
    """Rebinding: a public answer for the check, a private one for whoever asks again."""
    resolver = Resolver(monkeypatch, rebind_test=[["127.0.0.1"], ["127.0.0.2"]])
    only = [ip_network("127.0.0.1/32")]
    with serving(polite) as server:
        assert send(f"http://rebind.test:{server.port}/", allowed=only).is_delivered
        assert resolver.asked == ["rebind.test"]
        second = send(f"http://rebind.test:{server.port}/", allowed=only)
        assert server.accepted == 1
    assert "private" in (second.error or "")


def test_host_header_and_tls_name_stay_those_of_the_url(monkeypatch, certificate):
    Resolver(monkeypatch, hooks_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]])
    transport = Transport(max_body_bytes=1000, ca_bundle=certificate.path)
    with serving(polite, certificate.server_context) as server:
        good = send(
            f"https://hooks.test:{server.port}/", transport=transport, headers={"Host": "evil"}
        )
        bad = send(f"https://other.test:{server.port}/", transport=transport)
    assert good.is_delivered
    assert f"Host: hooks.test:{server.port}".encode() in server.requests[0]
    assert b"evil" not in server.requests[0]
    assert "TLS" in (bad.error or "")
    assert len(server.requests) == 1


def test_an_international_name_is_resolved_in_its_ascii_form(monkeypatch):
    resolver = Resolver(monkeypatch, **{"xn--bcher-kva_test": [["127.0.0.1"]]})
    with serving(polite) as server:
        assert send(f"http://bücher.test:{server.port}/").is_delivered
    assert resolver.asked == ["xn--bcher-kva.test"]


def test_the_environment_s_proxies_are_ignored(monkeypatch):
    with serving(polite) as proxy, serving(polite) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert send(server.url).is_delivered
        assert proxy.accepted == 0


def drip_headers(peer: Peer) -> None:
    peer.read_request()
    peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 400)


def reset(peer: Peer) -> None:
    peer.read_request()
    peer.reset()


def garbage(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"what?\r\n\r\n")


@pytest.mark.parametrize("script", [drip_headers, reset, garbage])
def test_network_trouble_is_a_result_and_no_exception(script):
    with serving(script) as server:
        result = send(server.url + "/?token=hush", seconds=0.2)
    assert (result.is_delivered, result.status_code) == (False, None)
    assert result.error
    assert "hush" not in result.error


def test_a_refused_connection_and_an_unknown_name_are_results(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "refused" in (send(f"http://127.0.0.1:{port}/?token=hush").error or "")
    Resolver(monkeypatch)
    assert "nowhere.test" in (send("http://nowhere.test/?token=hush").error or "")


@pytest.mark.parametrize("url", ["ftp://h.test/", "http://u:p@h.test/", "http://h.test/\r\n", ""])
def test_a_url_that_is_refused_touches_no_network(monkeypatch, url):
    resolver = Resolver(monkeypatch)
    assert send(url).error
    assert resolver.asked == []


def test_a_header_with_a_line_break_is_a_result():
    assert send("http://127.0.0.1:1/", headers={"x": "a\r\nEvil: 1"}).error


@settings(max_examples=60, deadline=None)
@given(st.text(), st.text(max_size=5), st.text(max_size=5))
def test_no_url_and_no_header_makes_it_raise(text, name, value):
    with pytest.MonkeyPatch.context() as patch:
        Resolver(patch)
        for url in (text, f"https://{text}", f"http://h.test/{text}", f"http://h.test:{text}"):
            result = send(url, headers={name: value})
            assert not result.is_delivered
            assert result.error


def test_a_2xx_counts_although_its_body_never_ends():
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.drip(b"1\r\nx\r\n" * 100)

    with serving(script) as server:
        assert send(server.url, seconds=0.2).is_delivered


def test_a_huge_or_compressed_body_is_cut_and_its_excerpt_is_printable():
    bomb = gzip.compress(b"\x1b[31m\0" * 1_000_000)
    with serving(answering("200 OK", bomb, "Content-Encoding: gzip\r\n")) as server:
        result = send(server.url)
    assert result.is_delivered
    assert len(result.response_excerpt) == 1000
    assert result.response_excerpt.isprintable()


def endless(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 500 X\r\n\r\n")
    with suppress(OSError):
        while not peer.server.stop.is_set():
            peer.send("ü".encode() * 8_000)


@pytest.mark.parametrize("most", [0, 1, 999, 1000, 65_535, 65_536])
def test_of_an_endless_body_no_more_is_kept_than_asked_for(most):
    with serving(endless) as server:
        result = send(server.url, excerpt_bytes=most)
    assert result.status_code == 500
    assert result.response_excerpt == "ü" * (most // 2)


@pytest.mark.parametrize("most", [-1, 65_537])
def test_more_than_is_read_cannot_be_kept(most):
    with pytest.raises(ValueError, match="65536"):
        send("http://127.0.0.1:1/", excerpt_bytes=most)


@pytest.mark.parametrize("status", ["200 OK", "500 X"])
def test_the_result_names_the_address_that_was_connected_to(status, monkeypatch):
    Resolver(monkeypatch, hooks_test=[["127.0.0.1"]])
    with serving(answering(status)) as server:
        result = send(f"http://hooks.test:{server.port}/")
    assert result.address == f"127.0.0.1:{server.port}"
    assert result.duration_ms == round(result.seconds * 1000)


@pytest.mark.parametrize("script", [drip_headers, reset, garbage])
def test_the_address_is_named_although_no_answer_came(script):
    with serving(script) as server:
        result = send(server.url, seconds=0.2)
    assert result.address == f"127.0.0.1:{server.port}"


def test_an_address_that_was_not_connected_to_is_not_named():
    with serving(polite) as server:
        assert send(server.url, allowed=[]).address == ""
    assert send(server.url).address == ""


def test_failures_are_told_apart(monkeypatch):
    Resolver(monkeypatch, inside_test=[["127.0.0.1"]])
    assert send("http://inside.test/", allowed=[]).failure == Failure.POLICY
    assert send("http://10.0.0.1/", allowed=[]).failure == Failure.POLICY
    assert send("http://localhost/", allowed=[]).failure == Failure.POLICY
    assert send("http://inside.test:0/").failure == Failure.PERMANENT
    assert send("http://inside.test/", headers={"x": "a\r\nb"}).failure == Failure.PERMANENT
    assert send("http://nowhere.test/").failure == Failure.TEMPORARY


@pytest.mark.parametrize(
    ("status", "kind"), [("200 OK", None), ("410 X", "permanent"), ("400 X", "temporary")]
)
def test_of_all_statuses_only_410_is_permanent(status, kind):
    with serving(answering(status)) as server:
        assert send(server.url).failure == kind


def test_with_https_only_nothing_is_sent_in_the_clear(monkeypatch):
    resolver = Resolver(monkeypatch)
    result = send("http://hooks.test/", https_only=True)
    assert (result.failure, result.is_permanent) == (Failure.POLICY, True)
    assert "https://" in (result.error or "")
    assert resolver.asked == []
    assert send("https://hooks.test/", https_only=True).failure == Failure.TEMPORARY


@pytest.mark.parametrize(("is_final", "kind"), [(False, "temporary"), (True, "policy")])
def test_whether_a_bad_certificate_is_final_is_policy(monkeypatch, certificate, is_final, kind):
    Resolver(monkeypatch, other_test=[["127.0.0.1"]])
    transport = Transport(max_body_bytes=1000, ca_bundle=certificate.path)
    with serving(polite, certificate.server_context) as server:
        result = send(
            f"https://other.test:{server.port}/",
            transport=transport,
            is_bad_certificate_final=is_final,
        )
    assert (result.failure, result.is_permanent) == (kind, is_final)
    assert result.address == f"127.0.0.1:{server.port}"


def test_more_authorities_are_trusted_beside_the_usual_ones(monkeypatch, certificate):
    Resolver(monkeypatch, hooks_test=[["127.0.0.1"]])
    transport = Transport(max_body_bytes=1000, more_authorities=certificate.path)
    with serving(polite, certificate.server_context) as server:
        url = f"https://hooks.test:{server.port}/"
        assert not send(url).is_delivered
        assert send(url, transport=transport).is_delivered
